import pytest

from hiera_cli.tasks.detection.completeness import best_share, is_complete
from hiera_cli.tasks.detection.tracks import TimedBox, Track, box_between


def box(time, x, size=10.0):
    return TimedBox(time, x, 0.0, x + size, size, 1.0)


TRUTH = [box(t / 10, t) for t in range(11)]  # ten pixels to the right in a second


def test_a_track_moves_evenly_between_its_boxes():
    boxes = [box(0.0, 0), box(1.0, 10)]
    assert box_between(boxes, 0.25, reach=1).corners == (2.5, 0, 12.5, 10)
    assert box_between(boxes, 1.0, reach=0).x1 == 10
    assert box_between(boxes, 1.4, reach=0.5).x1 == 10
    assert box_between(boxes, 1.6, reach=0.5) is None
    assert box_between(boxes, -0.6, reach=0.5) is None
    assert box_between(boxes, 0.5, reach=0.9) is None  # nobody knows what it did in between


def test_the_best_single_track_counts():
    whole = Track("person", (box(0.0, 0), box(1.0, 10)))
    assert best_share(TRUTH, [whole], reach=1.0) == 1.0
    halves = [Track("person", tuple(TRUTH[:6])), Track("person", tuple(TRUTH[6:]))]
    assert best_share(TRUTH, halves, reach=0.05) == pytest.approx(6 / 11)
    elsewhere = Track("person", (box(0.0, 50), box(1.0, 60)))
    assert best_share(TRUTH, [elsewhere], reach=1.0) == 0.0
    assert best_share(TRUTH, [], reach=1.0) == 0.0


@pytest.mark.parametrize(("share", "complete"), [(0.9, True), (0.89, False), (1.0, True)])
def test_nine_tenths_are_complete(share, complete):
    assert is_complete(share) is complete
