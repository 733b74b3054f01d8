"""Windows to spans: smoothing, thresholds, and where one label gives way to the next."""

from itertools import pairwise

import numpy as np
import pytest

from hiera_cli.tasks.timeline.segments import Segmenter, Span

HOP, WINDOW = 0.5, 2.0


def soft(*logits: float) -> np.ndarray:
    values = np.exp(np.array(logits))
    return (values / values.sum()).astype(np.float32)


def spans_of(rows: list[np.ndarray], *, smooth: float = 2.0, threshold: float = 0.0) -> list[Span]:
    segmenter = Segmenter(
        0.0, hop_seconds=HOP, window_seconds=WINDOW, smooth_seconds=smooth, threshold=threshold
    )
    spans = []
    for index, row in enumerate(rows):
        spans += segmenter.push(WINDOW / 2 + HOP * index, row)
    return spans + list(segmenter.finish(WINDOW / 2 + HOP * (len(rows) - 1) + WINDOW / 2))


def test_one_label_covers_the_whole_video() -> None:
    (span,) = spans_of([soft(3, 0)] * 10)
    assert (span.start_seconds, span.end_seconds, span.state) == (0.0, 6.5, 0)
    assert span.score == pytest.approx(float(soft(3, 0)[0]))


def test_a_single_doubtful_window_changes_nothing() -> None:
    rows = [soft(2, 0)] * 6 + [soft(0, 0.5)] + [soft(2, 0)] * 6
    assert len(spans_of(rows)) == 1
    assert len(spans_of(rows, smooth=0)) == 3


def test_the_boundary_is_where_the_mixture_is_half() -> None:
    """Logits mix in proportion; the second class is twice as sure, and still begins at 10 s."""
    rows = []
    for index in range(38):
        center = WINDOW / 2 + HOP * index
        share = np.clip((center + WINDOW / 2 - 10) / WINDOW, 0, 1)
        rows.append(soft(0.0, -2 * (1 - share) + 4 * share))
    first, second = spans_of(rows)
    assert first.end_seconds == second.start_seconds == pytest.approx(10, abs=0.01)
    assert second.end_seconds == pytest.approx(20.5)


def test_below_the_threshold_there_is_no_label() -> None:
    rows = [soft(4, 0, 0)] * 20 + [soft(0, 0, 0)] * 20
    assert [span.state for span in spans_of(rows, threshold=0.6)] == [0, None]
    assert [span.state for span in spans_of(rows)] == [0]


def test_spans_touch_and_come_in_order() -> None:
    rng = np.random.default_rng(0)
    rows = [row for k in rng.integers(0, 4, 40) for row in [soft(*4.0 * np.eye(4)[k])] * 5]
    spans = spans_of(rows)
    assert len(spans) > 20
    assert spans[0].start_seconds == 0
    for one, other in pairwise(spans):
        assert one.start_seconds < one.end_seconds == other.start_seconds
        assert one.state != other.state
