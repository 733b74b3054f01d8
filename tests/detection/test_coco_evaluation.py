import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from hiera_cli.checkpoints.detector import LoadedDetector
from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.datasets.coco import read_coco
from hiera_cli.detection.coco_evaluation import (
    PictureBoxes,
    coco_results,
    find_all,
    score_boxes,
    write_scores,
)
from hiera_cli.detection.detector import Boxes, detect_objects
from hiera_cli.detection.masks import drawn, encode, paste
from hiera_cli.errors import Failure, UsageError
from hiera_cli.model.box_detector import BoxDetector, BoxDetectorConfig
from hiera_cli.training.detection.boxes import fresh_encoder
from hiera_cli.video.info import Limits
from tests.coco import CLASSES, write_shapes
from tests.configs import tiny_image

SHAPE = BoxDetectorConfig(2, channels=16, head_convs=1, proposals=20, score_threshold=0.0)


@pytest.fixture
def data(tmp_path):
    return read_coco(write_shapes(tmp_path / "shapes", num=5, seed=1) / "annotations.json")


def detector(labels=CLASSES, *, masks=False):
    config = tiny_image(64)
    model = BoxDetector(fresh_encoder(config), replace(SHAPE, masks=masks)).eval()
    pixels = replace(Preprocessing.for_config(config), crop_size=64, short_side=64)
    return LoadedDetector(model, "tiny", pixels, labels)


def perfect(picture, *, shift=0.0):
    corners = np.array([(b.x1, b.y1, b.x2, b.y2) for b in picture.boxes]) + shift
    labels = np.array([b.label_index for b in picture.boxes])
    return PictureBoxes(picture, Boxes(corners, np.full(len(labels), 0.9), labels))


def test_all_found_is_one_and_nothing_found_is_none(data):
    scores = score_boxes(data, [perfect(p) for p in data.pictures], num_failed=0, model="m")
    assert (scores.ap, scores.ap50, scores.ar100) == (pytest.approx(1), pytest.approx(1), 1)
    assert scores.per_class == {"square": pytest.approx(1), "disc": pytest.approx(1)}
    assert scores.ap_large is None
    nothing = score_boxes(data, [], num_failed=5, model="m")
    assert (nothing.ap, nothing.num_detections, nothing.num_failed) == (0, 0, 5)


def test_boxes_that_are_off_count_at_low_iou_only(data):
    """Shifted by 3 of 14 to 19 pixels both ways, the IoU is between 0.45 and 0.55."""
    shifted = [perfect(p, shift=2.0) for p in data.pictures]
    scores = score_boxes(data, shifted, num_failed=0, model="m")
    assert scores.ap50 == pytest.approx(1)
    assert scores.ap75 == pytest.approx(0)


def test_masks_are_measured_by_their_own_overlap(tmp_path):
    """Perfect boxes: squares with perfect masks, discs with the masks of squares and back."""
    folder = write_shapes(tmp_path / "shapes", num=5, seed=1)
    data = read_coco(folder / "annotations.json", masks=True)
    results = []
    for picture in data.pictures:
        size = {"width": picture.width, "height": picture.height}
        whole = [encode(drawn(box.segmentation, **size)) for box in picture.boxes]
        boxes = replace(perfect(picture).boxes, masks=tuple(whole))
        results.append(PictureBoxes(picture, boxes))
    scores = score_boxes(data, results, num_failed=0, model="m")
    assert (scores.ap, scores.masks.ap, scores.masks.ar100) == (pytest.approx(1),) * 3
    assert scores.masks.per_class_ap50 == {"square": pytest.approx(1), "disc": pytest.approx(1)}
    entries = coco_results(data, results)
    assert entries[0]["segmentation"].keys() == {"size", "counts"}
    filled = [
        replace(result, boxes=replace(result.boxes, masks=tuple(
            encode(paste(torch.ones(28, 28), corners, width=64, height=48))
            for corners in result.boxes.corners
        )))
        for result in results
    ]  # fmt: skip
    scores = score_boxes(data, filled, num_failed=0, model="m")
    assert scores.ap == pytest.approx(1)
    assert scores.masks.per_class["square"] == pytest.approx(1)
    assert scores.masks.per_class_ap50["disc"] == pytest.approx(1)  # pi / 4 = 0.785
    assert 0.4 < scores.masks.per_class["disc"] < 0.7


def test_what_is_difficult_is_neither_missed_nor_wrong(data):
    """A VOC file's difficult things, and COCO's crowds: found or not, the figures are the same."""
    first = data.pictures[0]
    ignored = replace(first.boxes[0], is_crowd=True)
    hard = replace(first, boxes=(ignored, *first.boxes[1:]))
    data = replace(data, pictures=(hard, *data.pictures[1:]))
    found = [perfect(picture) for picture in data.pictures]
    assert score_boxes(data, found, num_failed=0, model="m").ap == pytest.approx(1)
    rest = perfect(replace(hard, boxes=hard.boxes[1:])) if hard.boxes[1:] else None
    without = [*([rest] if rest else []), *found[1:]]
    assert score_boxes(data, without, num_failed=0, model="m").ap == pytest.approx(1)


def test_a_detectors_masks_are_in_the_pictures_size():
    rgb = np.random.default_rng(0).integers(0, 255, (96, 192, 3), dtype=np.uint8)
    found = detect_objects(detector(masks=True), rgb, size=(96, 48))
    assert len(found.masks) == len(found.scores) > 0
    assert found.corners[:, 2].max() <= 96
    for mask, (x1, y1, x2, y2) in zip(found.masks, found.corners, strict=True):
        assert (mask.width, mask.height) == (96, 48)
        rows, columns = np.nonzero(mask.to_array())
        if len(rows):
            assert x1 - 1 < columns.min() <= columns.max() < x2 + 1
            assert y1 - 1 < rows.min() <= rows.max() < y2 + 1
    assert detect_objects(detector(), rgb).masks == ()


def test_a_missing_picture_is_a_failure_and_its_boxes_are_missed(data, tmp_path):
    (tmp_path / "shapes" / "3.png").unlink()
    records = list(find_all(detector(), data, limits=Limits()))
    failures = [record for record in records if isinstance(record, Failure)]
    assert [failure.kind for failure in failures] == ["not_found"]
    found = [perfect(r.picture) for r in records if isinstance(r, PictureBoxes)]
    scores = score_boxes(data, found, num_failed=1, model="m")
    assert scores.ap50 is not None
    assert scores.ap50 < 1
    assert (scores.num_pictures, scores.num_expected) == (4, 5)


def test_boxes_are_in_pixels_of_the_picture():
    rgb = np.random.default_rng(0).integers(0, 255, (96, 192, 3), dtype=np.uint8)
    found = detect_objects(detector(), rgb)
    assert len(found.corners) > 0
    assert found.corners[:, 2].max() <= 192
    assert found.corners[:, 3].max() <= 96
    assert found.corners[:, 2].max() > 64
    assert (np.diff(found.scores) <= 0).all()


def test_other_classes_are_refused(data):
    with pytest.raises(UsageError, match="lists square, disc"):
        next(find_all(detector(("disc", "square")), data, limits=Limits()))


def test_files(data, tmp_path):
    results = [perfect(p) for p in data.pictures]
    scores = score_boxes(data, results, num_failed=0, model="m")
    write_scores(tmp_path / "out", scores, data, results)
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["ap50"] == pytest.approx(1)
    entries = json.loads((tmp_path / "out" / "detections.json").read_text())
    assert len(entries) == data.num_boxes
    assert entries[0].keys() == {"image_id", "category_id", "bbox", "score"}
