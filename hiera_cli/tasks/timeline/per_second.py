"""Scores second by second, for those who plot themselves."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hiera_cli.tasks.timeline.timeline import WindowScores


@dataclass(frozen=True, eq=False, slots=True)
class SecondScores:
    """The mean scores of the windows whose centers lie in one second of a video.

    Attributes:
        path: the video.
        second: the second, counted on the clock of the presentation times.
        scores: (K,) class probabilities.
    """

    path: str
    second: int
    scores: npt.NDArray[np.float32]


class PerSecond:
    """Averages windows that arrive in order; holds the windows of one second."""

    def __init__(self) -> None:
        self._path: str | None = None
        self._second = 0
        self._held: list[npt.NDArray[np.float32]] = []

    def push(self, window: WindowScores) -> Iterator[SecondScores]:
        """Add a window; yields the second before when it is complete."""
        second = int(window.center_seconds // 1)
        if (window.path, second) != (self._path, self._second):
            yield from self.finish()
        self._path, self._second = window.path, second
        self._held.append(window.scores)

    def finish(self) -> Iterator[SecondScores]:
        """The second in progress."""
        if self._held and self._path is not None:
            mean = np.mean(self._held, axis=0, dtype=np.float32)
            yield SecondScores(self._path, self._second, np.asarray(mean))
        self._held = []
