from pathlib import Path

import pytest

from hiera_cli.datasets.coco import LabelledBox, find_coco, read_coco
from hiera_cli.errors import NoInputError, UsageError
from tests.coco import document, write_document

CELLS = Path(__file__).parents[3] / "shared" / "data" / "cells"


def read(folder, **changes):
    return read_coco(write_document(folder / "annotations.json", document(**changes)))


def test_a_file_is_read(tmp_path):
    data = read(tmp_path)
    assert data.classes == ("square", "disc")
    assert data.category_ids == (2, 5)
    (picture,) = data.pictures
    assert (picture.image_id, picture.width, picture.height) == (7, 40, 30)
    assert picture.path == str(tmp_path / "a.png")
    assert picture.boxes == (LabelledBox(4, 6, 14, 14, 0, 80),)
    assert (data.num_boxes, data.num_clipped, data.num_outside) == (1, 0, 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bbox": [1, 2, float("nan"), 4]}, "finite"),
        ({"bbox": [1, 2, 3]}, "finite"),
        ({"bbox": [1, 2, "3", 4]}, "finite"),
        ({"bbox": None}, "finite"),
        ({"bbox": [0.1, 0.2, 0.3, 0.4]}, "fractions"),
        ({"category_id": 9}, "no category has the id 9"),
        ({"category_id": "square"}, "not a whole number"),
        ({"image_id": 1}, "no picture has the id 1"),
        ({"area": float("inf")}, "finite"),
    ],
)
def test_what_cannot_be_meant(tmp_path, changes, message):
    with pytest.raises(UsageError, match=message):
        read(tmp_path, **changes)


def test_shapes_are_read_where_they_are_asked_for(tmp_path):
    square = [[4, 6, 14, 6, 14, 14, 4, 14]]
    path = write_document(tmp_path / "a.json", document(segmentation=square))
    (box,) = read_coco(path, masks=True).pictures[0].boxes
    assert [list(part) for part in box.segmentation.polygons] == square
    assert read_coco(path).pictures[0].boxes[0].segmentation is None
    crowd = {"size": [30, 40], "counts": [100, 50, 1050]}
    path = write_document(tmp_path / "b.json", document(segmentation=crowd, iscrowd=1))
    (box,) = read_coco(path, masks=True).pictures[0].boxes
    assert (box.is_crowd, list(box.segmentation.runs)) == (True, [100, 50, 1050])
    line = write_document(tmp_path / "c.json", document(segmentation=[[4, 6, 5, 6, 9, 6]]))
    data = read_coco(line, masks=True)
    assert (data.num_boxes, data.num_outside, data.has_masks) == (0, 1, True)
    nothing = write_document(tmp_path / "d.json", document())
    with pytest.raises(UsageError, match="annotation 1 has no segmentation"):
        read_coco(nothing, masks=True)
    wrong = write_document(tmp_path / "e.json", document(segmentation=[[4, 6]]))
    with pytest.raises(UsageError, match=r"annotation 1: \[4, 6\] is no polygon"):
        read_coco(wrong, masks=True)


def test_boxes_beyond_the_picture_are_counted(tmp_path):
    clipped = read(tmp_path / "a", bbox=[35, 6, 10, 8])
    assert clipped.pictures[0].boxes[0].x2 == 40
    assert (clipped.num_clipped, clipped.num_outside) == (1, 0)
    outside = read(tmp_path / "b", bbox=[41, 6, 10, 8])
    assert outside.pictures[0].boxes == ()
    assert (outside.num_clipped, outside.num_outside) == (0, 1)
    empty = read(tmp_path / "c", bbox=[4, 6, 0, 8])
    assert (empty.num_boxes, empty.num_outside) == (0, 1)


@pytest.mark.parametrize("content", [[], {"images": []}, {"images": {}}, "text"])
def test_what_is_no_coco_file(tmp_path, content):
    with pytest.raises(UsageError, match="no COCO file"):
        read_coco(write_document(tmp_path / "x.json", content))


def test_damaged_and_missing_files(tmp_path):
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(UsageError, match="no JSON"):
        read_coco(tmp_path / "x.json")
    with pytest.raises(UsageError, match="cannot read"):
        read_coco(tmp_path / "none.json")
    with pytest.raises(NoInputError):
        read_coco(write_document(tmp_path / "y.json", {**document(), "images": []}))


def test_where_files_are(tmp_path):
    inside = write_document(tmp_path / "train" / "annotations.json", {})
    assert find_coco(tmp_path, split="train") == inside
    assert find_coco(tmp_path / "train") == inside
    assert find_coco(inside) == inside
    official = write_document(tmp_path / "annotations" / "instances_val2017.json", {})
    assert find_coco(tmp_path, split="val") == official
    with pytest.raises(UsageError, match="no COCO file"):
        find_coco(tmp_path / "annotations")
    with pytest.raises(UsageError, match="no data set"):
        find_coco(tmp_path / "nothing")


def test_official_pictures_lie_beside_the_annotations(tmp_path):
    (tmp_path / "val2017").mkdir()
    (tmp_path / "val2017" / "a.png").touch()
    path = write_document(tmp_path / "annotations" / "instances_val2017.json", document())
    assert read_coco(path).pictures[0].path == str(tmp_path / "val2017" / "a.png")


@pytest.mark.skipif(not CELLS.exists(), reason="the cells are not here")
def test_the_cells():
    data = read_coco(find_coco(CELLS, split="train"))
    assert data.classes == ("RBC", "WBC", "Platelets")
    assert (len(data.pictures), data.num_boxes, data.num_outside) == (110, 1419, 0)
