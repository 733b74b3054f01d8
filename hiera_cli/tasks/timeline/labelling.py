"""Which labels hold when: one at a time, or each class by itself."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt

from hiera_cli.inference.engine import Engine
from hiera_cli.tasks.timeline.options import MULTI_LABEL_THRESHOLD, TimelineOptions
from hiera_cli.tasks.timeline.segments import Segmenter, Span

Scores = npt.NDArray[np.float32]
NEAR_ZERO = 1e-6


class Labeller(Protocol):
    """Takes the windows of one video in order and gives spans as they are complete."""

    def push(self, center_seconds: float, scores: Scores) -> Iterator[Span]:
        """Add a window's probabilities (K,)."""

    def finish(self, end_seconds: float) -> Iterator[Span]:
        """The spans that are left."""

    @property
    def states(self) -> frozenset[int]:
        """The classes that hold in the latest window that is certain."""


class OneLabel:
    """One label at a time."""

    def __init__(self, segmenter: Segmenter, *, num_classes: int) -> None:
        self._segmenter, self._num_classes = segmenter, num_classes
        self.push, self.finish = segmenter.push, segmenter.finish

    @property
    def states(self) -> frozenset[int]:
        """The class that holds; none of them where the model is below the threshold."""
        state = self._segmenter.state
        return frozenset() if state is None or state >= self._num_classes else frozenset((state,))


class ManyLabels:
    """Each class by itself: there or not there, smoothed alike.

    Args:
        segmenters: one a class.
        threshold: the score at which a class counts as there.
    """

    def __init__(self, segmenters: list[Segmenter], *, threshold: float) -> None:
        self._segmenters = segmenters
        self._threshold = threshold

    def push(self, center_seconds: float, scores: Scores) -> Iterator[Span]:
        """Add a window's probabilities (K,)."""
        odds = _shifted(scores.astype(np.float64), self._threshold)
        for state, there in enumerate(odds):
            pair = np.array([there, 1 - there], np.float32)
            yield from self._there(state, self._segmenters[state].push(center_seconds, pair))

    def finish(self, end_seconds: float) -> Iterator[Span]:
        """The spans that are left."""
        for state, segmenter in enumerate(self._segmenters):
            yield from self._there(state, segmenter.finish(end_seconds))

    @property
    def states(self) -> frozenset[int]:
        """The classes that are there."""
        return frozenset(k for k, s in enumerate(self._segmenters) if s.state == 0)

    def _there(self, state: int, spans: Iterator[Span]) -> Iterator[Span]:
        for span in spans:
            if span.state == 0:
                score = float(_shifted(np.array(span.score), 1 - self._threshold))
                yield Span(span.start_seconds, span.end_seconds, state, score)


def _shifted(scores: npt.NDArray[np.float64], threshold: float) -> npt.NDArray[np.float64]:
    """Probabilities with the logit of the threshold taken off, so that it lies at a half."""
    there = scores * (1 - threshold)
    return there / np.maximum(there + (1 - scores) * threshold, 1e-12)


def is_multi_label(engine: Engine) -> bool:
    """Whether the model scores each class by itself."""
    return bool(getattr(engine.loaded, "multi_label", False))


def make_labeller(engine: Engine, how: TimelineOptions, start_seconds: float) -> Labeller:
    """What turns the windows of a video into spans, as the model's kind of scores demands."""
    protocol, labels = engine.loader.protocol, engine.loaded.labels

    def segmenter(threshold: float) -> Segmenter:
        return Segmenter(
            start_seconds,
            hop_seconds=protocol.hop_seconds or protocol.window_seconds,
            window_seconds=protocol.window_seconds,
            smooth_seconds=how.smooth,
            threshold=threshold,
        )

    if not is_multi_label(engine):
        return OneLabel(segmenter(how.threshold or 0.0), num_classes=len(labels))
    threshold = MULTI_LABEL_THRESHOLD if how.threshold is None else how.threshold
    bounded = min(max(threshold, NEAR_ZERO), 1 - NEAR_ZERO)
    return ManyLabels([segmenter(0.0) for _ in labels], threshold=bounded)
