"""Tracks: a thing's boxes over time, and where it is between them."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from hiera_cli.detection.masks import Mask


@dataclass(frozen=True, slots=True)
class TimedBox:
    """A box at an instant.

    Attributes:
        time_seconds: presentation time.
        x1, y1, x2, y2: corners in pixels as displayed.
        score: of the detection; 1 for given boxes.
        mask: of the frame, where a detector finds masks.
    """

    time_seconds: float
    x1: float
    y1: float
    x2: float
    y2: float
    score: float
    mask: Mask | None = None

    @property
    def corners(self) -> tuple[float, float, float, float]:
        """x1, y1, x2, y2."""
        return (self.x1, self.y1, self.x2, self.y2)


@dataclass(frozen=True, slots=True)
class Track:
    """One thing over time: its class and its boxes, ascending in time."""

    label: str
    boxes: tuple[TimedBox, ...]


def box_between(boxes: Sequence[TimedBox], instant: float, *, reach: float) -> TimedBox | None:
    """Where a track is at an instant; it moves evenly from box to box, between them without mask.

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
