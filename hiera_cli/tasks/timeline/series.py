"""The scores of a whole video in bounded memory, for plots."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MAX_POINTS = 4096


@dataclass(frozen=True, eq=False, slots=True)
class Series:
    """Class probabilities over time.

    Attributes:
        times_seconds: (N,) centers of windows, or of groups of them.
        scores: (N, K) float32.
    """

    times_seconds: npt.NDArray[np.float64]
    scores: npt.NDArray[np.float32]

    def at(self, seconds: float) -> npt.NDArray[np.float32]:
        """The scores (K,) of the point nearest to a time."""
        place = int(np.searchsorted(self.times_seconds, seconds))
        near = range(max(0, place - 1), min(len(self.times_seconds), place + 1))
        best = min(near, key=lambda index: abs(self.times_seconds[index] - seconds))
        return np.asarray(self.scores[best])


class SeriesWriter:
    """Collects points, and halves their number by averaging neighbours when there are many."""

    def __init__(self, max_points: int = MAX_POINTS) -> None:
        self._max_points = max_points
        self._group = 1
        self._points: list[tuple[float, npt.NDArray[np.float32]]] = []
        self._held: list[tuple[float, npt.NDArray[np.float32]]] = []

    def add(self, seconds: float, scores: npt.NDArray[np.float32]) -> None:
        """Add a window."""
        self._held.append((seconds, scores))
        if len(self._held) < self._group:
            return
        self._points.append(_mean(self._held))
        self._held = []
        if len(self._points) >= self._max_points:
            self._points = [_mean(self._points[i : i + 2]) for i in range(0, len(self._points), 2)]
            self._group *= 2

    def result(self, num_classes: int) -> Series:
        """What was collected."""
        points = [*self._points, *([_mean(self._held)] if self._held else [])]
        times = np.array([seconds for seconds, _ in points], dtype=np.float64)
        scores = np.array([row for _, row in points], dtype=np.float32)
        return Series(times, scores.reshape(-1, num_classes))


def _mean(
    points: list[tuple[float, npt.NDArray[np.float32]]],
) -> tuple[float, npt.NDArray[np.float32]]:
    if len(points) == 1:
        return points[0]
    rows = np.mean([row for _, row in points], axis=0, dtype=np.float32)
    return float(np.mean([seconds for seconds, _ in points])), np.asarray(rows)
