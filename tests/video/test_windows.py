"""Back-to-back windows at any rate, constant or not: every frame in one, and none twice."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hiera_cli.video.protocols import make_protocol
from hiera_cli.video.sampling import ClipPlan, Timeline, plan_clips


def constant(num_frames: int, fps: float) -> Timeline:
    return Timeline(fps, np.arange(num_frames) / fps, num_frames / fps, constant=True)


def dense(timeline: Timeline, hop: float | None = None) -> tuple[ClipPlan, ...]:
    return plan_clips(timeline, make_protocol("dense", hop_seconds=hop))


def ranges(timeline: Timeline, hop: float | None = None) -> list[tuple[int, int]]:
    return [(c.frame_indices[0], c.frame_indices[-1]) for c in dense(timeline, hop)]


def check(timeline: Timeline, hop: float | None) -> None:
    """Every frame lies between the first and the last frame of a window; no window twice."""
    clips = dense(timeline, hop)
    chosen = [clip.frame_indices for clip in clips]
    assert all(list(row) == sorted(row) for row in chosen)
    assert len(set(chosen)) == len(chosen)
    covered = np.zeros(timeline.num_frames, bool)
    for row in chosen:
        covered[row[0] : row[-1] + 1] = True
    assert covered.all()


RATES = st.floats(0.01, 1000) | st.sampled_from([0.01, 0.2, 0.46875, 0.5, 1, 24000 / 1001, 25, 30])
HOPS = st.none() | st.floats(0.01, 64 / 30)


@settings(max_examples=400, deadline=None)
@given(st.integers(1, 3000), RATES, HOPS)
def test_constant_rates(num_frames: int, fps: float, hop: float | None) -> None:
    check(constant(num_frames, fps), hop)


GAPS = st.lists(
    st.floats(1e-3, 100) | st.sampled_from([0.001, 1 / 30, 0.5, 5.0, 3600.0]), max_size=80
)


@settings(max_examples=600, deadline=None)
@given(GAPS, st.floats(1e-3, 100), HOPS)
def test_variable_rates(gaps: list[float], last: float, hop: float | None) -> None:
    times = np.concatenate([[0.0], np.cumsum(gaps)])
    end = float(times[-1]) + last
    check(Timeline(len(times) / end, times, end, constant=False), hop)


def test_one_frame_in_five_seconds() -> None:
    assert ranges(constant(10, 0.2)) == [(index, index) for index in range(10)]
    clip = dense(constant(10, 0.2))[9]
    assert (clip.start_seconds, clip.end_seconds) == (45.0, 50.0)


def test_windows_touch_at_common_rates() -> None:
    assert ranges(constant(130, 30)) == [(0, 63), (64, 127), (128, 129)]
    assert ranges(constant(120, 25)) == [(0, 52), (53, 105), (106, 119)]
    assert ranges(constant(6, 1)) == [(0, 1), (2, 3), (4, 5)]


def test_a_hop_longer_than_a_window_leaves_frames_out() -> None:
    assert ranges(constant(300, 30), 4.0) == [(0, 63), (120, 183), (240, 299)]


@pytest.mark.parametrize("num_frames", [1, 2])
def test_hardly_any_frames(num_frames: int) -> None:
    assert ranges(constant(num_frames, 0.01)) == [(index, index) for index in range(num_frames)]


def test_a_gap_of_hours_costs_nothing() -> None:
    times = np.array([0.0, 1.0, 2.0, 36_000.0, 36_001.0])
    assert len(dense(Timeline(5 / 36_002, times, 36_002.0, constant=False))) <= 5
