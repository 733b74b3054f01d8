"""Tracks made steady: each box the mean of those around it in time."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from hiera_cli.tasks.detection.tracks import TimedBox

Floats = npt.NDArray[np.float64]


def smoothed(boxes: Sequence[TimedBox], seconds: float) -> tuple[TimedBox, ...]:
    """The boxes of a track, each the mean of those around it: Gaussian in time, times score.

    Args:
        boxes: ascending in time.
        seconds: standard deviation; 0 leaves the boxes as they are.
    """
    if not seconds:
        return tuple(boxes)
    times = np.array([box.time_seconds for box in boxes])
    scores = np.array([max(box.score, 1e-6) for box in boxes])
    corners = np.array([box.corners for box in boxes])
    kept = []
    for index, box in enumerate(boxes):
        first, stop = np.searchsorted(times, times[index] + np.array([-4, 4]) * seconds)
        near = slice(min(int(first), index), max(int(stop), index + 1))
        weights = np.exp(-0.5 * ((times[near] - times[index]) / seconds) ** 2) * scores[near]
        kept.append(moved(box, corners[near], weights))
    return tuple(kept)


def moved(box: TimedBox, corners: Floats, weights: Floats) -> TimedBox:
    """A box at the weighted mean of others; rounding leads none of them out of the picture.

    Args:
        box: whose time, score and mask are kept.
        corners: (N, 4).
        weights: (N,), not all 0.
    """
    mean = np.clip(weights @ corners / weights.sum(), corners.min(0), corners.max(0))
    x1, y1, x2, y2 = mean.tolist()
    return replace(box, x1=x1, y1=y1, x2=x2, y2=y2)
