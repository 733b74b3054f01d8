"""From windows to segments: who wins when, and where exactly one label gives way to the next.

Windows are longer than the distance between them, so a window that lies across a change sees
both sides, and a strong movement outweighs a weak one early. A boundary is therefore moved to
where the log ratio of the two scores is halfway between its typical values on either side.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from hiera_cli.tasks.timeline.viterbi import OnlineViterbi, change_price, log_scores

Evidence = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Segment:
    """A time with one label.

    Attributes:
        path: the video.
        start_seconds, end_seconds: presentation times.
        label: the class.
        score: mean probability of the class in the windows of the segment.
    """

    path: str
    start_seconds: float
    end_seconds: float
    label: str
    score: float


@dataclass(frozen=True, slots=True)
class Span:
    """A segment before it has a name: the state that won, None for no label."""

    start_seconds: float
    end_seconds: float
    state: int | None
    score: float


@dataclass(slots=True)
class _Run:
    """Windows in a row with one state; only those near its two ends are kept."""

    state: int
    reach: int
    num: int = 0
    score_sum: float = 0.0
    head: list[tuple[float, Evidence]] = field(default_factory=list)
    tail: deque[tuple[float, Evidence]] = field(default_factory=deque)

    def add(self, center: float, evidence: Evidence, score: float) -> None:
        self.num += 1
        self.score_sum += score
        if len(self.head) < self.reach:
            self.head.append((center, evidence))
        self.tail.append((center, evidence))
        if len(self.tail) > self.reach:
            self.tail.popleft()


class Segmenter:
    """Turns windows of one video into spans, in bounded memory.

    Args:
        start_seconds: where the video begins.
        hop_seconds, window_seconds: distance and length of the windows.
        smooth_seconds: see `TimelineOptions.smooth`.
        threshold: score of the state that stands for no label; 0: there is no such state.
    """

    def __init__(
        self,
        start_seconds: float,
        *,
        hop_seconds: float,
        window_seconds: float,
        smooth_seconds: float,
        threshold: float = 0.0,
    ) -> None:
        self._viterbi = OnlineViterbi(change_price(smooth_seconds, hop_seconds))
        self._half = max(1, round(window_seconds / hop_seconds / 2))
        self._background = np.log([threshold]) if threshold > 0 else np.zeros(0)
        self._open: deque[tuple[float, Evidence, npt.NDArray[np.float32]]] = deque()
        self._before: _Run | None = None
        self._run: _Run | None = None
        self._start = start_seconds

    @property
    def state(self) -> int | None:
        """The state that won in the latest window that is certain."""
        return None if self._run is None else self._run.state

    def push(self, center_seconds: float, scores: npt.NDArray[np.float32]) -> Iterator[Span]:
        """Add a window's probabilities (K,); yields the spans that are now complete."""
        evidence = np.concatenate([log_scores(scores), self._background])
        self._open.append((center_seconds, evidence, scores))
        yield from self._settle(self._viterbi.push(evidence))

    def finish(self, end_seconds: float) -> Iterator[Span]:
        """The spans that are left; the last one lasts until `end_seconds`."""
        yield from self._settle(self._viterbi.finish())
        before, run = self._before, self._run
        if run is None:
            return
        start = self._start
        if before is not None:
            boundary = self._boundary(before, run)
            yield self._span(before, start, boundary)
            start = boundary
        yield self._span(run, start, max(start, end_seconds))

    def _settle(self, states: Sequence[int]) -> Iterator[Span]:
        for state in states:
            center, evidence, scores = self._open.popleft()
            score = float(scores[state]) if state < len(scores) else float(scores.max())
            if self._run is not None and self._run.state != state:
                yield from self._close()
            if self._run is None:
                self._run = _Run(state, reach=4 * self._half)
            self._run.add(center, evidence, score)

    def _close(self) -> Iterator[Span]:
        """Begin a new run; the one before the last is complete, both its ends are known."""
        before, run = self._before, self._run
        self._before, self._run = run, None
        if before is None or run is None:
            return
        boundary = self._boundary(before, run)
        yield self._span(before, self._start, boundary)
        self._start = boundary

    def _span(self, run: _Run, start: float, end: float) -> Span:
        is_class = run.state < len(run.head[0][1]) - len(self._background)
        return Span(start, end, run.state if is_class else None, run.score_sum / run.num)

    def _boundary(self, before: _Run, after: _Run) -> float:
        """Where the log ratio of the two states crosses the middle of its typical values."""
        near = [*before.tail, *after.head]
        cut = len(before.tail)
        centers = np.array([center for center, _ in near])
        ratio = np.array([e[before.state] - e[after.state] for _, e in near])
        middle = (_typical(ratio[:cut][::-1], self._half) + _typical(ratio[cut:], self._half)) / 2
        first, last = max(0, cut - self._half - 1), min(len(near) - 1, cut + self._half + 1)
        usual = float(centers[cut - 1] + centers[cut]) / 2
        crossings = [
            float(np.interp(middle, ratio[[k + 1, k]], centers[[k + 1, k]]))
            for k in range(first, last)
            if ratio[k] >= middle > ratio[k + 1]
        ]
        return min(crossings, key=lambda place: abs(place - usual), default=usual)


def _typical(values: Evidence, half_window: int) -> float:
    """The median of values that begin at a boundary, without those that see beyond it."""
    inside = values[half_window:] if len(values) > half_window else values[len(values) // 2 :]
    return float(np.median(inside))
