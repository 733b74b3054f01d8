import itertools
import math

import numpy as np
import pytest

from hiera_cli.detection.metrics import FrameBoxes, average_precision, frame_map, iou_matrix


def boxes_of(rows):
    """(video, second, x1, y1, x2, y2, label, score) rows as arrays."""
    return FrameBoxes(
        [(row[0], row[1]) for row in rows],
        np.array([row[2:6] for row in rows], dtype=float).reshape(-1, 4),
        np.array([row[6] for row in rows], dtype=np.int64),
        np.array([row[7] for row in rows], dtype=float),
    )


def overlap(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    areas = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
    return shared / (sum(areas) - shared)


def slow_ap(truth, found):
    """Another way: all detections in one list, matched one by one; the curve's corners summed."""
    taken, curve, hits = set(), [(0.0, 1.0)], 0
    for count, row in enumerate(sorted(found, key=lambda r: -r[7]), start=1):
        same = [i for i, t in enumerate(truth) if t[:2] == row[:2]]
        best = max(same, key=lambda i: overlap(truth[i][2:6], row[2:6]), default=None)
        if best is not None and overlap(truth[best][2:6], row[2:6]) >= 0.5 and best not in taken:
            taken.add(best)
            hits += 1
        curve.append((hits / len(truth), hits / count))
    total = 0.0
    for (before, _), (recall, _) in itertools.pairwise(curve):
        total += (recall - before) * max(p for r, p in curve[1:] if r >= recall)
    return total


def random_rows(rng, num, *, near=()):
    rows = []
    for _ in range(num):
        if near and rng.random() < 0.6:
            row = near[rng.integers(len(near))]
            corners = np.array(row[2:6]) + rng.normal(0, 0.03, 4)
            place, label = row[:2], row[6] if rng.random() < 0.8 else int(rng.integers(1, 7))
        else:
            first = rng.uniform(0, 0.6, 2)
            corners = np.concatenate([first, first + rng.uniform(0.1, 0.4, 2)])
            place = (f"v{rng.integers(3)}", int(rng.integers(902, 908)))
            label = int(rng.integers(1, 7))
        rows.append((*place, *corners.tolist(), label, float(rng.random())))
    return rows


@pytest.mark.parametrize("seed", range(20))
def test_as_an_independent_computation(seed):
    """Random boxes, excluded key frames, a class without truth and one without detections."""
    rng = np.random.default_rng(seed)
    truth = [row for row in random_rows(rng, 80) if row[6] != 3]
    found = [row for row in random_rows(rng, 300, near=truth) if row[6] != 5]
    excluded = {("v0", 903), ("v2", 905)}
    scores = frame_map(boxes_of(truth), boxes_of(found), classes=[1, 2, 3, 4, 5], excluded=excluded)
    expected = {}
    for label in (1, 2, 3, 4, 5):
        kept, seen = (
            [row for row in rows if row[6] == label and row[:2] not in excluded]
            for rows in (truth, found)
        )
        expected[label] = slow_ap(kept, seen) if kept else None
    assert scores.per_class[3] is None
    assert scores.per_class[5] == 0
    known = {label: value for label, value in expected.items() if value is not None}
    assert {k: v for k, v in scores.per_class.items() if v is not None} == pytest.approx(known)
    assert scores.mean_ap == pytest.approx(math.fsum(known.values()) / len(known))
    assert scores.mean_ap > 0.05


def test_a_curve_by_hand():
    """Right, wrong, right of three true boxes: a third at 1, a third at 2/3."""
    right = np.array([False, True, True])
    ap = average_precision(np.array([0.8, 0.9, 0.1]), right, 3)
    assert ap == pytest.approx((1 + 2 / 3) / 3)
    assert average_precision(np.zeros(0), np.zeros(0, dtype=bool), 3) == 0


def test_a_second_detection_is_wrong_and_only_the_best_box_counts():
    truth = boxes_of([("v", 1, 0, 0, 10, 10, 1, 1), ("v", 1, 0, 1, 10, 11, 1, 1)])
    found = boxes_of([("v", 1, 0, 0, 10, 10, 1, 0.9), ("v", 1, 0, 0, 10, 10, 1, 0.8)])
    assert frame_map(truth, found, classes=[1]).per_class[1] == pytest.approx(0.5)


def test_detections_where_nobody_is_count_as_wrong():
    truth = boxes_of([("v", 1, 0, 0, 10, 10, 1, 1)])
    found = boxes_of([("v", 1, 0, 0, 10, 10, 1, 0.5), ("w", 1, 0, 0, 10, 10, 1, 0.9)])
    assert frame_map(truth, found, classes=[1]).per_class[1] == pytest.approx(0.5)
    left_out = frame_map(truth, found, classes=[1], excluded={("w", 1)})
    assert (left_out.per_class[1], left_out.num_excluded) == (1.0, 1)


def test_nothing_to_find():
    nothing = boxes_of([])
    found = boxes_of([("v", 1, 0, 0, 10, 10, 9, 0.5)])
    scores = frame_map(nothing, found, classes=[1, 2])
    assert (scores.mean_ap, scores.per_class, scores.num_other) == (None, {1: None, 2: None}, 1)


def test_boxes_without_area_overlap_nothing():
    flat = np.array([[1.0, 1, 1, 1]])
    assert iou_matrix(flat, flat)[0, 0] == 0


def test_nan_is_refused():
    with pytest.raises(ValueError, match="finite"):
        boxes_of([("v", 1, 0, 0, math.nan, 10, 1, 0.5)])
