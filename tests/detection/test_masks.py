import numpy as np
import pytest
import torch

from hiera_cli.datasets.coco import BoxPicture, LabelledBox
from hiera_cli.datasets.segmentations import read_segmentation
from hiera_cli.detection.masks import Mask, drawn, encode, masks_of, paste

pytest.importorskip("pycocotools")


def test_masks_come_back():
    mask = np.zeros((5, 7), bool)
    mask[1:3, 2:6] = True
    written = encode(mask)
    assert (written.width, written.height, written.area) == (7, 5, 8)
    assert (written.to_array() == mask).all()
    again = Mask(7, 5, written.to_json()["counts"])
    assert (again.to_array() == mask).all()


def test_polygons_are_filled_as_the_evaluation_fills_them():
    square = read_segmentation([[2, 1, 6, 1, 6, 3, 2, 3]], "a", width=7, height=5)
    expected = np.zeros((5, 7), bool)
    expected[1:3, 2:6] = True
    assert (drawn(square, width=7, height=5) == expected).all()


def test_crowds_have_no_mask_to_learn():
    shape = read_segmentation({"size": [2, 2], "counts": [1, 3]}, "a", width=2, height=2)
    thing = LabelledBox(0, 0, 2, 2, 0, 3, segmentation=shape)
    crowd = LabelledBox(0, 0, 2, 2, 0, 3, is_crowd=True, segmentation=shape)
    found = masks_of(BoxPicture(1, "a.png", 2, 2, (crowd, thing)))
    assert found.tolist() == [[[False, True], [True, True]]]


def test_a_pasted_mask_fills_its_box_and_nothing_else():
    corners = np.array([2.0, 1.0, 6.0, 4.0])
    full = paste(torch.ones(28, 28), corners, width=9, height=6)
    expected = np.zeros((6, 9), bool)
    expected[1:4, 2:6] = True
    assert (full == expected).all()
    half = torch.ones(28, 28)
    half[:, 14:] = 0
    expected[:, 4:] = False
    assert (paste(half, corners, width=9, height=6) == expected).all()


def test_what_is_pasted_is_where_it_was_learnt():
    """A disc seen through a mask head's places: out of the picture and back, IoU over 0.95."""
    from hiera_cli.model.detector_parts import masks_in_boxes

    y, x = np.mgrid[0.5:80, 0.5:100]
    disc = ((x - 47.3) / 31) ** 2 + ((y - 40.6) / 24) ** 2 < 1
    box = np.array([16.3, 16.6, 78.3, 64.6])
    whose = torch.zeros(1, dtype=torch.long)
    seen = masks_in_boxes(torch.from_numpy(disc)[None], whose, torch.tensor(box[None]).float(), 28)
    pasted = paste(seen[0], box, width=100, height=80)
    assert (pasted & disc).sum() / (pasted | disc).sum() > 0.95


def test_boxes_outside_the_picture_hold_nothing():
    for corners in ((-5, -5, -1, -1), (20, 20, 30, 30), (3, 3, 3, 3)):
        assert not paste(torch.ones(4, 4), np.array(corners, float), width=9, height=6).any()
