"""A detector finds things twice: tracks are joined, boxes averaged, passers-by left alone."""

from pathlib import Path

import pytest

from hiera_cli.tasks.detection.fusion import averaged, joined
from hiera_cli.tasks.detection.linking import link
from hiera_cli.tasks.detection.options import SMOOTH_SECONDS, DetectOptions, LinkOptions
from hiera_cli.tasks.detection.smoothing import smoothed
from hiera_cli.tasks.detection.tracks import TimedBox, Track


def box(time, x, *, width=10.0, height=10.0, score=1.0):
    return TimedBox(time, x, 0.0, x + width, height, score)


def track(*boxes, label="person"):
    return Track(label, boxes)


def test_tracks_of_the_same_thing_are_one():
    whole = [box(k / 10, 0) for k in range(6)]
    legs = [box(k / 10, 2, width=6, height=4, score=0.9) for k in range(4, 9)]
    (one,) = joined([track(*whole), track(*legs)])
    assert one.boxes == (*whole, *legs[2:])  # of the shared instants the better track's boxes
    (later,) = joined([track(*legs), track(*whole)])
    assert later == one


@pytest.mark.parametrize("num_inside", [2, 3])
def test_who_passes_before_somebody_stays_apart(num_inside):
    still = [box(k / 10, 0) for k in range(5)]
    passing = [box(k / 10, 1 if k < num_inside else 50) for k in range(5)]
    assert len(joined([track(*still), track(*passing)])) == (1 if num_inside == 3 else 2)


def test_tracks_of_other_classes_or_other_times_are_not_joined():
    boxes = [box(0, 0), box(0.1, 0)]
    assert len(joined([track(*boxes), track(*boxes, label="dog")])) == 2
    assert len(joined([track(*boxes), track(box(0.2, 0))])) == 2


def test_joined_tracks_come_in_the_order_of_their_first_boxes():
    early, late = track(box(0, 0, score=0.2)), track(box(1, 50))
    assert joined([late, early]) == [early, late]


def test_a_tracks_box_is_the_mean_of_what_was_found_of_it():
    """Two boxes of an instant, 8 and 12 wide, about a thing that is 10 wide at all others."""
    boxes = [box(k / 100, 0) for k in range(9)]
    wide, narrow = box(0.04, 0, width=12, score=0.6), box(0.04, 0, width=8, score=0.6)
    frames = [[("person", b)] for b in boxes]
    frames[4] = [("person", wide), ("person", narrow), ("dog", narrow)]
    boxes[4] = wide
    (done,) = averaged([track(*boxes)], frames, min_iou=0.3)
    assert done.boxes[4].x2 == pytest.approx(10, abs=0.2)  # the surer one alone: 12
    assert done.boxes[4].score == 0.6
    assert [b.x2 for b in done.boxes[:4]] == [10] * 4


def test_a_box_counts_for_the_track_that_it_overlaps_most():
    left, right = [box(k / 10, 0) for k in range(3)], [box(k / 10, 6) for k in range(3)]
    frames = [[("person", one), ("person", two)] for one, two in zip(left, right, strict=True)]
    done = averaged([track(*left), track(*right)], frames, min_iou=0.1)
    assert [b.x1 for t in done for b in t.boxes] == pytest.approx([0, 0, 0, 6, 6, 6])


def test_a_box_that_nothing_agrees_with_loses_its_weight():
    boxes = [box(k / 100, 30 if k == 4 else 0) for k in range(9)]
    frames = [[("person", b)] for b in boxes]
    (done,) = averaged([track(*boxes)], frames, min_iou=0.3)
    assert [b.score for b in done.boxes] == [1.0] * 4 + [0.001] + [1.0] * 4
    assert smoothed(done.boxes, 0.02)[4].x1 < 0.1  # where its neighbours are


def test_linking_fuses_what_a_detector_found_and_leaves_given_boxes_alone():
    frames = [
        [("person", box(k / 10, 0)), ("person", box(k / 10, 2, width=6, height=7, score=0.4))]
        for k in range(4)
    ]
    (found,) = link(frames, LinkOptions())
    assert all(7 < b.y2 < 10 for b in found.boxes)
    (given,) = link(frames, LinkOptions(duplicates=False))
    assert all(b.y2 == 10 for b in given.boxes)


def test_found_boxes_are_smoothed_unless_told_otherwise_and_given_ones_are_not():
    assert DetectOptions(detector="run").linking.smooth == SMOOTH_SECONDS > 0
    assert DetectOptions(detector="run", smooth=0).linking.smooth == 0
    assert DetectOptions(boxes=Path("boxes.csv")).linking.smooth == 0
    assert DetectOptions(boxes=Path("boxes.csv"), smooth=0.2).linking.smooth == 0.2
