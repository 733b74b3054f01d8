"""Boxes of successive frames linked into tracks: whoever overlaps most is the same."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from hiera_cli.detection.metrics import iou_matrix
from hiera_cli.tasks.detection.options import LinkOptions

NO_MATCH = -1.0


@dataclass(frozen=True, slots=True)
class TimedBox:
    """A box at an instant.

    Attributes:
        time_seconds: presentation time.
        x1, y1, x2, y2: corners in pixels as displayed.
        score: of the detection; 1 for given boxes.
    """

    time_seconds: float
    x1: float
    y1: float
    x2: float
    y2: float
    score: float

    @property
    def corners(self) -> tuple[float, float, float, float]:
        """x1, y1, x2, y2."""
        return (self.x1, self.y1, self.x2, self.y2)


@dataclass(frozen=True, slots=True)
class Track:
    """One thing over time: its class and its boxes, ascending in time."""

    label: str
    boxes: tuple[TimedBox, ...]


def link(frames: Iterable[Sequence[tuple[str, TimedBox]]], options: LinkOptions) -> list[Track]:
    """Tracks of labelled boxes, in the order of their first boxes.

    Args:
        frames: for each instant, ascending, its boxes with their classes. Pairs of a track and a
            box are taken by overlap, the largest first; a box without a track begins one.
        options: how.
    """
    tracks: list[tuple[str, list[TimedBox]]] = []
    for found in frames:
        if not found:
            continue
        now = found[0][1].time_seconds
        alive = [
            index
            for index, (_, boxes) in enumerate(tracks)
            if now - boxes[-1].time_seconds <= options.max_gap + 1e-6
        ]
        taken = _matches([tracks[index] for index in alive], found, options.min_iou)
        for row, (label, box) in enumerate(found):
            if row in taken:
                tracks[alive[taken[row]]][1].append(box)
            else:
                tracks.append((label, [box]))
    return [
        Track(label, tuple(boxes)) for label, boxes in tracks if len(boxes) >= options.min_boxes
    ]


def box_between(boxes: Sequence[TimedBox], instant: float, *, reach: float) -> TimedBox | None:
    """Where a track is at an instant; it moves evenly from box to box.

    Args:
        boxes: of the track, ascending in time.
        instant: in seconds.
        reach: seconds from its first or last box, or between two boxes, beyond which it is unknown.
    """
    after = bisect_left(boxes, instant, key=lambda box: box.time_seconds)
    if after < len(boxes) and boxes[after].time_seconds == instant:
        return boxes[after]
    if after in (0, len(boxes)):
        nearest = boxes[min(after, len(boxes) - 1)]
        return nearest if abs(nearest.time_seconds - instant) <= reach else None
    one, two = boxes[after - 1], boxes[after]
    gap = two.time_seconds - one.time_seconds
    if gap > reach:
        return None
    share = (instant - one.time_seconds) / gap
    x1, y1, x2, y2 = (a + share * (b - a) for a, b in zip(one.corners, two.corners, strict=True))
    return TimedBox(instant, x1, y1, x2, y2, one.score + share * (two.score - one.score))


def _matches(
    tracks: Sequence[tuple[str, Sequence[TimedBox]]],
    found: Sequence[tuple[str, TimedBox]],
    min_iou: float,
) -> dict[int, int]:
    """Rows of `found` and the tracks that they continue."""
    if not tracks:
        return {}
    last = np.array([boxes[-1].corners for _, boxes in tracks])
    overlap = iou_matrix(np.array([box.corners for _, box in found]), last)
    same = [[label == name for name, _ in tracks] for label, _ in found]
    overlap[~np.array(same)] = NO_MATCH
    taken: dict[int, int] = {}
    while overlap.max() >= max(min_iou, 1e-9):
        row, column = (int(i) for i in np.unravel_index(overlap.argmax(), overlap.shape))
        taken[row] = column
        overlap[row, :] = overlap[:, column] = NO_MATCH
    return taken
