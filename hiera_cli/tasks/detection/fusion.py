"""One track a thing, though a detector finds it twice: its tracks are joined, its boxes averaged.

Of somebody who bends, lies or swings an arm a detector finds the whole and a part, each time with
another score: the surest box of an instant is often not the best. What the track's neighbours in
time agree on says which boxes are of the thing; their mean is steadier than any of them (as in
weighted boxes fusion, arXiv 1910.13302, here along a track).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from hiera_cli.detection.metrics import iou_matrix
from hiera_cli.tasks.detection.smoothing import moved, smoothed
from hiera_cli.tasks.detection.tracks import TimedBox, Track

Corners = npt.NDArray[np.float64]
Found = Sequence[tuple[str, TimedBox]]

TWICE = 0.6  # of the smaller of two boxes in the other: the same thing, found twice
NEAR_SECONDS = 0.1  # standard deviation of the mean over time that says where a thing is
ROUNDS = 2  # of averaging: the second knows better where things are
UNKNOWN = 1e-3  # weight of a box that no other and not even itself agrees with


def joined(tracks: Iterable[Track]) -> list[Track]:
    """Tracks, those of the same thing made one, in the order of their first boxes.

    Two are the same when at half of the instants that they share one mostly lies in the other. Of
    two boxes of an instant the one of the track with more score in all is kept.
    """
    kept: list[dict[float, TimedBox]] = []
    labels: list[str] = []
    for track in sorted(tracks, key=lambda t: -sum(box.score for box in t.boxes)):
        boxes = {box.time_seconds: box for box in track.boxes}
        same = (n for n, label in enumerate(labels) if label == track.label)
        number = next((n for n in same if _are_same(boxes, kept[n])), None)
        if number is None:
            kept.append(boxes)
            labels.append(track.label)
        else:
            kept[number] = boxes | kept[number]
    made = [
        Track(label, tuple(boxes[time] for time in sorted(boxes)))
        for label, boxes in zip(labels, kept, strict=True)
    ]
    return sorted(made, key=lambda track: track.boxes[0].time_seconds)


def averaged(tracks: Sequence[Track], frames: Iterable[Found], *, min_iou: float) -> list[Track]:
    """Tracks whose boxes are the means of all that was found of their things.

    A box belongs to the track of its class that it overlaps most, and counts by its score times
    the square of that overlap.

    Args:
        tracks: whose instants are among the frames'.
        frames: for each instant, ascending, its boxes with their classes.
        min_iou: least overlap of a box with where its track is.
    """
    found = {boxes[0][1].time_seconds: boxes for boxes in frames if boxes}
    for _ in range(ROUNDS):
        expected = [smoothed(track.boxes, NEAR_SECONDS) for track in tracks]
        present: dict[float, list[int]] = defaultdict(list)
        for number, boxes in enumerate(expected):
            for box in boxes:
                present[box.time_seconds].append(number)
        places = [{box.time_seconds: box for box in boxes} for boxes in expected]
        old = [{box.time_seconds: box for box in track.boxes} for track in tracks]
        for time, numbers in present.items():
            here = [(tracks[n].label, places[n][time], old[n][time]) for n in numbers]
            for n, box in zip(numbers, _means(here, found[time], min_iou), strict=True):
                old[n][time] = box
        tracks = [Track(t.label, tuple(o.values())) for t, o in zip(tracks, old, strict=True)]
    return list(tracks)


def part_in(ones: Corners, twos: Corners) -> Corners:
    """The part (N,) of the smaller of two boxes each that lies in the other; both (N, 4)."""
    sides = np.minimum(ones[:, 2:], twos[:, 2:]) - np.maximum(ones[:, :2], twos[:, :2])
    both = np.prod(np.clip(sides, 0, None), axis=1)
    areas = (np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (ones, twos))
    part: Corners = both / np.maximum(np.minimum(*areas), 1e-9)
    return part


def _are_same(one: Mapping[float, TimedBox], two: Mapping[float, TimedBox]) -> bool:
    """Whether two tracks' boxes, by instant, are of the same thing."""
    times = [time for time in one if time in two]
    if not times:
        return False
    ones, twos = (np.array([boxes[t].corners for t in times]) for boxes in (one, two))
    return bool(np.median(part_in(ones, twos)) > TWICE)


def _means(
    here: Sequence[tuple[str, TimedBox, TimedBox]], found: Found, min_iou: float
) -> list[TimedBox]:
    """Tracks' boxes of an instant, averaged.

    Args:
        here: class, place and present box of each track.
        found: the boxes of the instant.
        min_iou: as for `averaged`.
    """
    corners = np.array([box.corners for _, box in found])
    scores = np.array([[box.score] for _, box in found])
    overlap = iou_matrix(corners, np.array([place.corners for _, place, _ in here]))
    same = np.array([[label == other for other, _, _ in here] for label, _ in found])
    overlap = np.where(same, overlap, 0.0)
    belongs = (overlap == overlap.max(1, keepdims=True)) & (overlap >= max(min_iou, 1e-9))
    weights = np.where(belongs, scores * overlap**2, 0.0)
    return [
        moved(box, corners, column) if column.any() else replace(box, score=min(box.score, UNKNOWN))
        for column, (_, _, box) in zip(weights.T, here, strict=True)
    ]
