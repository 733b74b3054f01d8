"""The scores of a whole video in bounded memory, for plots."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MAX_POINTS = 4096
Scores = npt.NDArray[np.float32]


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
    """Collects points, and halves their number by averaging neighbours when there are many.

    They are copied into one array: thousands of small ones, made between the frames of a video,
    would keep the memory of those frames from being used again.
    """

    def __init__(self, max_points: int = MAX_POINTS) -> None:
        self._max_points = max_points
        self._group = 1
        self._num = 0
        self._times = np.empty(max_points)
        self._scores: Scores | None = None
        self._held: list[tuple[float, Scores]] = []

    def add(self, seconds: float, scores: Scores) -> None:
        """Add a window."""
        self._held.append((seconds, scores))
        if len(self._held) == self._group:
            self._put_held()
        if self._num == self._max_points:
            self._halve()

    def result(self, num_classes: int) -> Series:
        """What was collected."""
        if self._held:
            self._put_held()
        if self._scores is None:
            return Series(np.zeros(0), np.zeros((0, num_classes), np.float32))
        return Series(self._times[: self._num].copy(), self._scores[: self._num].copy())

    def _put_held(self) -> None:
        rows = np.stack([row for _, row in self._held])
        if self._scores is None:
            self._scores = np.empty((self._max_points, rows.shape[1]), np.float32)
        self._times[self._num] = np.mean([seconds for seconds, _ in self._held])
        self._scores[self._num] = rows.mean(axis=0, dtype=np.float32)
        self._num += 1
        self._held = []

    def _halve(self) -> None:
        assert self._scores is not None
        for values in (self._times, self._scores):
            pairs = values[: self._num // 2 * 2]
            halved = (pairs[::2] + pairs[1::2]) / 2
            values[: len(halved)] = halved
            if self._num % 2:
                values[len(halved)] = values[self._num - 1]
        self._num = (self._num + 1) // 2
        self._group *= 2
