import json
from dataclasses import replace

import numpy as np
import pytest

from hiera_cli.checkpoints.detector import LoadedDetector
from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.datasets.coco import read_coco
from hiera_cli.detection.coco_evaluation import (
    PictureBoxes,
    find_all,
    score_boxes,
    write_scores,
)
from hiera_cli.detection.detector import Boxes, detect_objects
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


def detector(labels=CLASSES):
    config = tiny_image(64)
    model = BoxDetector(fresh_encoder(config), SHAPE).eval()
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
