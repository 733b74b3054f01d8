"""Boxes become tracks: by overlap, by steady motion, and in two rounds."""

import math
from dataclasses import replace

import pytest

from hiera_cli.tasks.detection.linking import link
from hiera_cli.tasks.detection.options import LinkOptions
from hiera_cli.tasks.detection.smoothing import smoothed
from hiera_cli.tasks.detection.tracks import TimedBox

GIVEN = LinkOptions(duplicates=False)  # nothing is averaged


def box(time, x, *, size=10.0, score=1.0):
    return TimedBox(time, x, 0.0, x + size, size, score)


def test_boxes_that_overlap_are_one_track_and_the_nearest_wins():
    frames = [
        [("cat", box(0, 0)), ("cat", box(0, 30))],
        [("cat", box(1, 33)), ("cat", box(1, 3))],
        [("cat", box(2, 6)), ("dog", box(2, 36))],
    ]
    tracks = link(frames, LinkOptions())
    assert [(t.label, [b.x1 for b in t.boxes]) for t in tracks] == [
        ("cat", [0, 3, 6]), ("cat", [30, 33]), ("dog", [36]),
    ]  # fmt: skip
    assert len(link(frames, LinkOptions(min_boxes=2))) == 2


def test_a_gap_and_a_leap_end_a_track():
    frames = [[("cat", box(0, 0))], [], [("cat", box(0.9, 0))], [("cat", box(2.5, 0))]]
    assert [len(t.boxes) for t in link(frames, LinkOptions(max_gap=1.0))] == [2, 1]
    leap = [[("cat", box(0, 0))], [("cat", box(1, 8))]]  # IoU 1/9
    assert len(link(leap, LinkOptions())) == 2
    assert len(link(leap, LinkOptions(min_iou=0.1))) == 1
    assert len(link([[("cat", box(0, 0))], [("cat", box(1, 50))]], LinkOptions(min_iou=0))) == 2


def test_a_track_is_expected_where_its_motion_takes_it():
    steps = [0, 4, 8, None, None, 20]  # IoU of the last with the box before: none; expected: 1
    frames = [[] if x is None else [("cat", box(k / 10, x))] for k, x in enumerate(steps)]
    (track,) = link(frames, LinkOptions())
    assert [b.x1 for b in track.boxes] == [0, 4, 8, 20]
    back = [[("cat", box(k / 10, x))] for k, x in enumerate([0, 4, 8, 8, 8])]
    assert len(link(back, LinkOptions())) == 1  # it stopped: where it was counts as well


def test_unsure_boxes_continue_tracks_and_never_begin_them():
    frames = [
        [("cat", box(0, 0)), ("cat", box(0, 50, score=0.3))],
        [("cat", box(1, 0, score=0.3)), ("cat", box(1, 50, score=0.4))],
        [("cat", box(2, 0, score=0.05)), ("dog", box(2, 1, score=0.4))],
    ]
    (track,) = link(frames, LinkOptions(max_gap=3))
    assert [(b.time_seconds, b.score) for b in track.boxes] == [(0, 1.0), (1, 0.3)]
    assert len(link(frames, LinkOptions(min_score=0.3))[1].boxes) == 2


def test_sure_boxes_are_given_out_before_unsure_ones():
    frames = [[("cat", box(0, 0))], [("cat", box(1, 0, score=0.4)), ("cat", box(1, 3))]]
    (track,) = link(frames, GIVEN)
    assert [b.x1 for b in track.boxes] == [0, 3]


def test_people_who_pass_each_other_stay_who_they_are():
    frames = [
        [("person", box(k / 10, 4 * k)), ("person", box(k / 10, 40 - 4 * k))] for k in range(11)
    ]
    one, two = link(frames, GIVEN)
    assert [b.x1 for b in one.boxes] == [4 * k for k in range(11)]
    assert [b.x1 for b in two.boxes] == [40 - 4 * k for k in range(11)]


def test_what_is_found_twice_is_one_track():
    body, legs, other = box(0, 0), TimedBox(0, 2, 8, 8, 10, 0.9), box(0, 7, score=0.8)
    found = [[("person", body), ("person", legs), ("dog", legs), ("person", other)]]
    tracks = link(found, LinkOptions())
    assert [(t.label, t.boxes[0]) for t in tracks] == [
        ("person", body), ("dog", legs), ("person", other),
    ]  # fmt: skip
    assert len(link(found, LinkOptions(duplicates=False))) == 4  # boxes that somebody gave


def test_the_surer_of_two_boxes_continues_a_track():
    frames = [[("cat", box(0, 0))], [("cat", box(1, 0, score=0.5)), ("cat", box(1, 1, score=0.9))]]
    assert [b.x1 for b in link(frames, GIVEN)[0].boxes] == [0, 1]


def test_smoothing_is_a_mean_over_time_that_trusts_sure_boxes():
    boxes = [box(k / 10, x) for k, x in enumerate([0, 0, 10, 0, 0])]
    assert smoothed(boxes, 0) == tuple(boxes)
    weight = math.exp(-0.5)  # of a neighbour, a deviation away
    far = math.exp(-2)
    expected = 10 / (1 + 2 * weight + 2 * far)
    assert smoothed(boxes, 0.1)[2].x1 == pytest.approx(expected)
    unsure = [replace(b, score=0.1 if k == 2 else 1.0) for k, b in enumerate(boxes)]
    assert smoothed(unsure, 0.1)[2].x1 == pytest.approx(1 / (0.1 + 2 * weight + 2 * far))
    even = [box(k / 10, 3 * k) for k in range(5)]
    assert smoothed(even, 0.1)[2].x1 == pytest.approx(6)
    assert link([[("cat", b)] for b in boxes], LinkOptions(min_iou=0))[0].boxes[2].x1 == 0


def test_rounding_leads_no_mean_out_of_the_picture():
    boxes = [box(k / 10, 38, score=0.1 + 0.07 * k) for k in range(9)]  # x2 is 48 in all of them
    assert max(b.x2 for b in smoothed(boxes, 0.3)) == 48
