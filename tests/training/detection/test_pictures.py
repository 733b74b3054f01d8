from array import array

import numpy as np
import torch
from torchvision.ops import masks_to_boxes

from hiera_cli.datasets.coco import BoxPicture, LabelledBox
from hiera_cli.datasets.segmentations import Segmentation, run_lengths
from hiera_cli.training.detection.pictures import Jitter, jittered, stack


def picture(*boxes: LabelledBox) -> BoxPicture:
    return BoxPicture(1, "a.png", 80, 60, boxes)


def scene(x1: int, y1: int, x2: int, y2: int) -> np.ndarray:
    """White in the box, black elsewhere: 60 x 80."""
    pixels = np.zeros((60, 80, 3), np.uint8)
    pixels[y1:y2, x1:x2] = 255
    return pixels


def test_boxes_follow_their_pixels():
    box = LabelledBox(20, 10, 60, 50, 1, 1600)
    for seed in range(30):
        sample = jittered(
            scene(20, 10, 60, 50),
            picture(box),
            Jitter(96, 0.5, 2.0),
            np.random.default_rng(seed),
        )
        assert sample.pixels.shape[1] <= 96
        assert sample.pixels.shape[2] <= 96
        assert sample.labels.tolist() == [2]
        bright = torch.nonzero(sample.pixels[0] > 127)
        (top, left), (bottom, right) = bright.amin(0), bright.amax(0) + 1
        expected = torch.tensor([left, top, right, bottom]).float()
        assert (sample.boxes[0] - expected).abs().max() <= 1.0


def test_masks_follow_their_pixels():
    """At every scale, crop and flip the mask covers what is bright, and the box the mask."""
    runs = run_lengths(scene(20, 10, 60, 50)[..., 0] > 0)
    shape = Segmentation(runs=array("q", runs))
    box = LabelledBox(20, 10, 60, 50, 1, 1600, segmentation=shape)
    shown = 0
    for seed in range(30):
        jitter = Jitter(64, 0.5, 2.5, masks=True)
        rng = np.random.default_rng(seed)
        sample = jittered(scene(20, 10, 60, 50), picture(box), jitter, rng)
        bright = sample.pixels[0] > 127
        assert len(sample.boxes) == len(sample.masks) == int(bright.any())
        for mask, corners in zip(sample.masks, sample.boxes, strict=True):
            shown += 1
            overlap = (mask & bright).sum() / (mask | bright).sum()
            assert overlap > 0.9
            around = masks_to_boxes(mask[None])[0] + torch.tensor([0, 0, 1, 1])
            assert (corners - around).abs().max() <= 1
        assert sample.target["masks"] is sample.masks
    assert shown > 20


def test_a_box_is_what_the_crop_shows_of_its_mask():
    """A triangle whose box the crop cuts: of the rest of the box only a part is covered."""
    rows, columns = torch.arange(60) + 0.5, torch.arange(80) + 0.5
    triangle = (rows[:, None] / 60 > columns[None] / 80).numpy()
    shape = Segmentation(runs=array("q", run_lengths(triangle)))
    whole = picture(LabelledBox(0, 0, 80, 60, 0, 2400, segmentation=shape))
    pixels = np.zeros((60, 80, 3), np.uint8)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        sample = jittered(pixels, whole, Jitter(64, 1.5, 1.5, masks=True), rng)
        if len(sample.masks):
            around = masks_to_boxes(sample.masks)[0] + torch.tensor([0, 0, 1, 1])
            assert torch.equal(sample.boxes[0], around)


def test_what_leaves_the_crop_is_forgotten_and_crowds_are_not_learnt():
    corner = LabelledBox(0, 0, 4, 4, 0, 16)
    crowd = LabelledBox(0, 0, 80, 60, 0, 4800, is_crowd=True)
    jitter = Jitter(32, 2.0, 2.0)
    found = [
        jittered(scene(0, 0, 4, 4), picture(corner, crowd), jitter, np.random.default_rng(seed))
        for seed in range(20)
    ]
    assert {len(sample.boxes) for sample in found} <= {0, 1}
    assert any(len(sample.boxes) == 0 for sample in found)
    for sample in found:
        assert sample.boxes.shape[1:] == (4,)
        assert len(sample.labels) == len(sample.boxes)


def test_the_draw_decides():
    box = LabelledBox(20, 10, 60, 50, 1, 1600)
    first, again = (
        jittered(scene(20, 10, 60, 50), picture(box), Jitter(64), np.random.default_rng(3))
        for _ in range(2)
    )
    assert torch.equal(first.pixels, again.pixels)
    assert torch.equal(first.boxes, again.boxes)


def test_pictures_are_padded_with_the_mean():
    mean, std = torch.full((3, 1, 1), 0.5), torch.full((3, 1, 1), 0.25)
    stacked = stack([torch.full((3, 2, 3), 255, dtype=torch.uint8)], 4, mean, std)
    assert stacked[0, 0].tolist() == [[2, 2, 2, 0], [2, 2, 2, 0], [0] * 4, [0] * 4]
