from fractions import Fraction

import numpy as np
import pytest

from hiera_cli.video.timeline import NO_TICK, Clock, make_timeline

MS = Fraction(1, 1000)


def timed(ticks: list[int], base: Fraction = MS, fps: float | None = 30.0, last: int = 0):
    return make_timeline(np.array(ticks), Clock(base, fps, fps), last_duration=last or None)


def test_milliseconds_are_rounding_not_variable_rate() -> None:
    for rate in (24000 / 1001, 25.0, 30000 / 1001, 30.0, 59.94, 240.0):
        ticks = [round(1000 * i / rate) for i in range(500)]
        timeline, warnings = timed(ticks, fps=rate)
        assert timeline.constant
        assert timeline.fps == rate
        assert warnings == ()
        assert timeline.end_seconds == pytest.approx(500 / rate, abs=2e-3)


def test_a_stated_rate_that_does_not_fit_is_measured_instead() -> None:
    timeline, _ = timed([0, 10_000, 20_000, 30_000], fps=30.0)
    assert (timeline.fps, timeline.constant) == (pytest.approx(0.1), True)


def test_variable_rate_counts_frames_over_the_whole_duration() -> None:
    timeline, warnings = timed([0, 100, 200, 1000], fps=None, last=1000)
    assert (timeline.constant, timeline.end_seconds) == (False, 2.0)
    assert timeline.fps == pytest.approx(4 / 2.0)
    assert warnings == ()


def test_one_frame_left_out_is_variable_rate() -> None:
    ticks = [i * 512 for i in range(60) if i != 40]
    timeline, _ = timed(ticks, Fraction(1, 15360))
    assert not timeline.constant


def test_jitter_is_variable_rate() -> None:
    ticks = [round(1000 * (i + 0.45 * np.sin(1.7 * i)) / 30) for i in range(120)]
    timeline, _ = timed(ticks)
    assert (timeline.constant, timeline.fps) == (False, 30.0)


@pytest.mark.parametrize("ticks", [[0, 33, 33, 100], [0, 66, 33, 100], [5, 5, 5]])
def test_times_that_do_not_ascend_are_counted(ticks: list[int]) -> None:
    timeline, warnings = timed(ticks, fps=25.0)
    assert (timeline.constant, timeline.fps) == (True, 25.0)
    np.testing.assert_allclose(np.diff(timeline.times_seconds), 1 / 25)
    assert timeline.times_seconds[0] == min(ticks) / 1000
    assert len(warnings) == 1


def test_no_times_at_all_use_the_stated_rate_or_thirty() -> None:
    none = np.full(4, NO_TICK)
    timeline, warnings = make_timeline(none, Clock(MS, 25.0, 24.0))
    assert (timeline.fps, warnings) == (24.0, ())
    timeline, warnings = make_timeline(none, Clock(MS, None, None))
    assert timeline.fps == 30.0
    assert "30 fps" in warnings[0]


def test_a_few_missing_times_are_filled_in() -> None:
    timeline, warnings = timed([NO_TICK, 40, 80, NO_TICK, 160, 200, NO_TICK], fps=25.0)
    np.testing.assert_allclose(timeline.times_seconds, 0.04 * np.arange(7), atol=1e-9)
    assert warnings == ()


@pytest.mark.parametrize("fps", [0.0, -3.0, 1e9, float("inf"), float("nan")])
def test_absurd_rates_are_not_believed(fps: float) -> None:
    timeline, _ = timed([0], fps=fps)
    assert timeline.fps == 30.0
    assert timed([0, 40, 80], fps=fps)[0].fps == pytest.approx(25.0)


def test_hours_between_two_frames_cost_nothing() -> None:
    timeline, _ = timed([0, 36_000_000], fps=30.0)
    assert timeline.num_frames == 2
    assert timeline.fps == pytest.approx(1 / 36_000)


def test_one_frame() -> None:
    timeline, _ = timed([1500], fps=30.0, last=33)
    assert (timeline.fps, timeline.times_seconds[0]) == (30.0, 1.5)
    assert timeline.end_seconds == pytest.approx(1.533)


@pytest.mark.parametrize("first", [-(2**62), 2**62, -(2**40)])
@pytest.mark.parametrize("num_frames", [1, 5])
def test_absurd_times_are_counted_from_zero(first: int, num_frames: int) -> None:
    ticks = [first + 40 * i for i in range(num_frames)]
    timeline, warnings = timed(ticks, Fraction(10), fps=25.0)
    np.testing.assert_allclose(timeline.times_seconds, 0.04 * np.arange(num_frames))
    assert timeline.end_seconds == pytest.approx(0.04 * num_frames)
    assert "absurd" in warnings[0]


def test_ticks_too_close_for_seconds_to_tell_apart_are_counted() -> None:
    ticks = [4 * 10**18, 4 * 10**18 + 1, 4 * 10**18 + 2]
    timeline, warnings = timed(ticks, Fraction(1, 10**9), fps=25.0)
    assert (timeline.fps, len(warnings)) == (25.0, 1)
    np.testing.assert_allclose(np.diff(timeline.times_seconds), 0.04, atol=1e-6)


def test_ticks_whose_difference_overflows_do_not_ascend() -> None:
    timeline, warnings = timed([2**62, -(2**63) + 1, 2**62 + 1], fps=25.0)
    np.testing.assert_allclose(timeline.times_seconds, 0.04 * np.arange(3))
    assert len(warnings) == 1


@pytest.mark.parametrize("last", [-(2**62), 2**62])
def test_an_absurd_last_duration_is_not_believed(last: int) -> None:
    timeline, _ = timed([0, 40, 80, 1000], fps=None, last=last)
    assert timeline.end_seconds == pytest.approx(1.0 + 1 / 3)


def test_missing_times_beyond_all_ticks_are_not_filled_in() -> None:
    timeline, warnings = timed([0, 2**62, NO_TICK, NO_TICK], fps=25.0)
    assert (timeline.fps, len(warnings)) == (25.0, 1)
