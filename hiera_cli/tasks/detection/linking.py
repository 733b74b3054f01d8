"""Boxes of successive frames linked into tracks, in two rounds as by ByteTrack (arXiv 2110.06864).

A track is expected where its steady motion takes it. Boxes of which the detector is sure are given
out first, by overlap times score; what it is less sure of continues tracks that found nothing, and
never begins one. Nor does a box that mostly lies in a better one: detectors find people twice.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from hiera_cli.detection.metrics import iou_matrix
from hiera_cli.tasks.detection.fusion import TWICE, averaged, joined, part_in
from hiera_cli.tasks.detection.options import LinkOptions
from hiera_cli.tasks.detection.smoothing import smoothed
from hiera_cli.tasks.detection.tracks import TimedBox, Track

Found = Sequence[tuple[str, TimedBox]]
Corners = npt.NDArray[np.float64]

NO_MATCH = -1.0
STEADINESS = 0.5  # how much of its velocity a track keeps from box to box


@dataclass(eq=False)
class _Trail:
    """A track in the making.

    Attributes:
        label: of its boxes.
        boxes: so far.
        velocity: of its center, pixels a second.
    """

    label: str
    boxes: list[TimedBox]
    velocity: Corners = field(default_factory=lambda: np.zeros(2))

    def expected(self, now: float) -> Corners:
        """Where it is when it moves on evenly and keeps its size: x1, y1, x2, y2."""
        last = self.boxes[-1]
        moved = self.velocity * (now - last.time_seconds)
        return np.array(last.corners) + np.tile(moved, 2)

    def add(self, box: TimedBox) -> None:
        """Go on with a box."""
        last = self.boxes[-1]
        step = _center(box) - _center(last)
        velocity = step / max(box.time_seconds - last.time_seconds, 1e-6)
        known = STEADINESS if len(self.boxes) > 1 else 0.0
        self.velocity = known * self.velocity + (1 - known) * velocity
        self.boxes.append(box)


def link(frames: Iterable[Found], options: LinkOptions) -> list[Track]:
    """Tracks of labelled boxes, in the order of their first boxes.

    Args:
        frames: for each instant, ascending, its boxes with their classes. Pairs of a track and a
            box are taken by overlap times score, the largest first; a box without a track begins
            one if its score is enough.
        options: how.
    """
    trails: list[_Trail] = []
    seen: list[Found] = []
    for found in frames:
        if not found:
            continue
        now = found[0][1].time_seconds
        alive = [t for t in trails if now - t.boxes[-1].time_seconds <= options.max_gap + 1e-6]
        sure = [pair for pair in found if pair[1].score >= options.min_score]
        unsure = [pair for pair in found if options.low_score <= pair[1].score < options.min_score]
        left, new = _continue(alive, sure, now, options.min_iou)
        _continue(left, unsure, now, options.min_iou)
        here = [(t.label, t.boxes[-1]) for t in alive if t.boxes[-1].time_seconds == now]
        begun = _without_twice(new, here) if options.duplicates else new
        trails += [_Trail(label, [box]) for label, box in begun]
        seen.append([(label, replace(box, mask=None)) for label, box in (*sure, *unsure)])
    tracks = [Track(trail.label, tuple(trail.boxes)) for trail in trails]
    if options.duplicates:
        tracks = averaged(joined(tracks), seen, min_iou=options.min_iou)
    return [
        replace(track, boxes=smoothed(track.boxes, options.smooth))
        for track in tracks
        if len(track.boxes) >= options.min_boxes
    ]


def _without_twice(new: Found, here: Found) -> list[tuple[str, TimedBox]]:
    """Boxes without a track, but for those that mostly lie in a better box of their class."""
    taken, kept = list(here), []
    for label, box in sorted(new, key=lambda pair: -pair[1].score):
        if all(other != label or _part(box, old) <= TWICE for other, old in taken):
            taken.append((label, box))
            kept.append((label, box))
    return kept


def _continue(
    trails: Sequence[_Trail], found: Found, now: float, min_iou: float
) -> tuple[list[_Trail], list[tuple[str, TimedBox]]]:
    """Give boxes to tracks, in place; the tracks and the boxes that are left over."""
    if not trails or not found:
        return list(trails), list(found)
    expected = np.array([trail.expected(now) for trail in trails])
    last = np.array([trail.boxes[-1].corners for trail in trails])
    corners = np.array([box.corners for _, box in found])
    overlap = np.maximum(iou_matrix(corners, expected), iou_matrix(corners, last))
    same = [[label == trail.label for trail in trails] for label, _ in found]
    scores = np.array([[max(box.score, 1e-6)] for _, box in found])
    fits = np.where((overlap >= max(min_iou, 1e-9)) & np.array(same), overlap * scores, NO_MATCH)
    rows, columns = set(range(len(found))), set(range(len(trails)))
    while fits.max() > 0:
        row, column = (int(i) for i in np.unravel_index(fits.argmax(), fits.shape))
        trails[column].add(found[row][1])
        fits[row, :] = fits[:, column] = NO_MATCH
        rows.discard(row)
        columns.discard(column)
    return [trails[i] for i in sorted(columns)], [found[i] for i in sorted(rows)]


def _part(one: TimedBox, two: TimedBox) -> float:
    """The part of the smaller of two boxes that lies in the other."""
    return float(part_in(np.array([one.corners]), np.array([two.corners]))[0])


def _center(box: TimedBox) -> Corners:
    return np.array([box.x1 + box.x2, box.y1 + box.y2]) / 2
