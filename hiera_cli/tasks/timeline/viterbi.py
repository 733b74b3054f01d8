"""The most probable sequence of states, found while the observations arrive."""

import math
from collections import deque

import numpy as np
import numpy.typing as npt

LONGEST_DELAY = 256
SMALLEST_SCORE = 1e-3  # a single sure window must not outweigh all others


class OnlineViterbi:
    """Viterbi decoding with one price for every change of state, in bounded memory.

    A state is handed out as soon as all surviving sequences agree on it (or, never yet seen,
    after `LONGEST_DELAY` observations: that of the best one).

    Args:
        price: cost of a change, in natural logarithms of probabilities.
    """

    def __init__(self, price: float) -> None:
        self._price = price
        self._best: npt.NDArray[np.float64] | None = None
        self._origins: deque[npt.NDArray[np.intp]] = deque()

    def push(self, evidence: npt.NDArray[np.float64]) -> list[int]:
        """Add an observation's log-probabilities (K,); returns states that are now certain."""
        if self._best is None:
            self._best = evidence
            return []
        states = np.arange(len(evidence))
        leader = int(self._best.argmax())
        changed = self._best[leader] - self._price
        self._origins.append(np.where(self._best >= changed, states, leader))
        best = np.maximum(self._best, changed) + evidence
        self._best = best - best.max()
        return self._certain()

    def finish(self) -> list[int]:
        """The states that were not handed out yet."""
        if self._best is None:
            return []
        path = [int(self._best.argmax())]
        for origins in reversed(self._origins):
            path.append(int(origins[path[-1]]))
        self._best, self._origins = None, deque()
        return path[::-1]

    def _certain(self) -> list[int]:
        """States from the oldest one to the last on which all survivors agree."""
        assert self._best is not None
        states = np.arange(len(self._best))
        for index in range(len(self._origins) - 1, -1, -1):
            states = self._origins[index][states]
            if (states == states[0]).all():
                return self._take(index, int(states[0]))
        if len(self._origins) < LONGEST_DELAY:
            return []
        state = int(self._best.argmax())
        for origins in reversed(self._origins):
            state = int(origins[state])
        return self._take(0, state)

    def _take(self, index: int, state: int) -> list[int]:
        """The sequence that ends in `state` at observation `index`, removed from the memory."""
        path = [state]
        for origins in [self._origins[i] for i in range(index - 1, -1, -1)]:
            path.append(int(origins[path[-1]]))
        for _ in range(index + 1):
            self._origins.popleft()
        return path[::-1]


def change_price(smooth_seconds: float, hop_seconds: float) -> float:
    """What a change of label costs: log 3 for every window in `smooth_seconds`.

    A label that lasts so long is kept if it is nine times as probable, in the geometric mean over
    its windows, as the label around it; a shorter one must be more probable.
    """
    return smooth_seconds / hop_seconds * math.log(3)


def log_scores(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Evidence for each class, of probabilities (K,)."""
    return np.log(np.maximum(scores.astype(np.float64), SMALLEST_SCORE))
