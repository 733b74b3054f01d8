"""When each frame is shown: from clock ticks of a container to a Timeline.

Containers round times (to milliseconds in Matroska and FLV), repeat them, leave them out, or
state a rate that has nothing to do with them. Here is decided which of these to believe.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from hiera_cli.video.sampling import Timeline

NO_TICK = -(2**63)  # stands for a time that is not stated
FALLBACK_FPS = 30.0
HIGHEST_FPS = 1000.0  # beyond it, a warning
_MAX_FPS = 1e6
_RATE_TOLERANCE = 0.01
_ROUNDING_SECONDS = 0.001  # times that once went through a millisecond clock
_MAX_SPREAD_FRAMES = 0.5
_MAX_SECONDS = 2.0**32  # up to here float64 tells frames at the highest rate apart

Ticks = npt.NDArray[np.int64]
Seconds = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Clock:
    """What a container says about the passing of time.

    Attributes:
        time_base: seconds in one tick.
        average_fps: number of frames over duration as the container states it; None: not stated.
        nominal_fps: the rate that the codec or the container was made for; None: not stated.
        assumed_fps: the rate that is taken instead of all that is stated; None: none.
    """

    time_base: Fraction
    average_fps: float | None
    nominal_fps: float | None
    assumed_fps: float | None = None


def make_timeline(
    ticks: Ticks, clock: Clock, *, last_duration: int | None = None
) -> tuple[Timeline, tuple[str, ...]]:
    """The times of frames in display order, with warnings.

    Args:
        ticks: (N,) presentation times in display order, NO_TICK where not stated; N at least 1.
        clock: what the container states.
        last_duration: how long the last frame is shown, in ticks.

    Returns:
        the timeline, and what was wrong with the times. Times that are missing, repeat, run
        backwards or are absurd are replaced by counting at the stated rate.
    """
    if clock.assumed_fps is not None:
        return _even(ticks, clock, clock.assumed_fps), ()
    ticks = _filled(ticks)
    times = ticks.astype(np.float64) * float(clock.time_base)
    # edit lists may give two frames one time, and a broken muxer any time at all
    ascending = bool(np.all(times[1:] > times[:-1]))  # the difference of ticks may overflow
    if NO_TICK in ticks or not ascending or np.abs(times).max() > _MAX_SECONDS:
        return _counted(ticks, clock)
    last_seconds = float(last_duration * clock.time_base) if last_duration else 0.0
    return _timed(times, clock, last_seconds if 0 < last_seconds <= _MAX_SECONDS else 0.0), ()


def _filled(ticks: Ticks) -> Ticks:
    """Ticks with the few missing ones put where their neighbours leave room.

    AVI and MPEG program streams state no time for the frames that come out of the decoder last.
    """
    known = np.flatnonzero(ticks != NO_TICK)
    if len(known) == len(ticks) or len(known) < max(2, len(ticks) / 2):
        return ticks
    stated = ticks[known].astype(np.float64)
    step = (stated[-1] - stated[0]) / (known[-1] - known[0])
    places = np.arange(len(ticks))
    filled = np.interp(places, known, stated)
    filled += step * (np.minimum(places - known[0], 0) + np.maximum(places - known[-1], 0))
    if np.abs(filled).max() >= -NO_TICK:
        return ticks
    return np.where(ticks == NO_TICK, np.rint(filled).astype(np.int64), ticks)


def _counted(ticks: Ticks, clock: Clock) -> tuple[Timeline, tuple[str, ...]]:
    """Frames at a constant rate, since their own times cannot be used."""
    stated = plausible_fps(clock.nominal_fps) or plausible_fps(clock.average_fps)
    fps = stated or FALLBACK_FPS
    timeline = _even(ticks, clock, fps)
    if np.any(ticks != NO_TICK):
        return timeline, (
            f"frame times are missing, repeat, run backwards or are absurd; frames are counted "
            f"at {fps:g} fps",
        )
    if stated is None:
        return timeline, (f"no frame times and no frame rate; {fps:g} fps is assumed",)
    return timeline, ()


def _even(ticks: Ticks, clock: Clock, fps: float) -> Timeline:
    """Frames at a constant rate from the earliest time that is stated."""
    known = ticks[ticks != NO_TICK]
    start = float(known.min()) * float(clock.time_base) if len(known) else 0.0
    start = start if abs(start) <= _MAX_SECONDS else 0.0
    times = start + np.arange(len(ticks)) / fps
    return Timeline(fps, times, start + len(ticks) / fps, constant=True)


def _timed(times: Seconds, clock: Clock, last_seconds: float) -> Timeline:
    """A timeline from usable times: strictly ascending."""
    num_frames = len(times)
    average = plausible_fps(clock.average_fps)
    if num_frames == 1:
        fps = average or plausible_fps(clock.nominal_fps) or FALLBACK_FPS
        return Timeline(fps, times, float(times[0]) + (last_seconds or 1 / fps), constant=True)
    mean_fps = (num_frames - 1) / float(times[-1] - times[0])
    stated = average if average and _agree(average, mean_fps) else None
    fits = [fps for fps in (stated, mean_fps) if fps and _on_grid(times, fps, clock.time_base)]
    if fits:
        fps = stated or mean_fps
        return Timeline(fps, times, float(times[-1]) + 1 / fps, constant=True)
    end = float(times[-1]) + (last_seconds or 1 / mean_fps)
    fps = num_frames / (end - float(times[0]))
    if average and _agree(average, fps):
        fps = average  # 30000/1001 rather than 29.97003: indices follow from it
    return Timeline(fps, times, end, constant=False)


def plausible_fps(fps: float | None) -> float | None:
    """The rate, unless it is none or absurd."""
    return fps if fps is not None and 0 < fps <= _MAX_FPS else None


def doubts(timeline: Timeline) -> tuple[str, ...]:
    """A warning where the rate is one that no camera has."""
    if timeline.fps <= HIGHEST_FPS:
        return ()
    seconds = timeline.end_seconds - float(timeline.times_seconds[0])
    return (
        f"a rate of {timeline.fps:.6g} frames a second cannot be true ({timeline.num_frames} "
        f"frames in {seconds:.3g} s): give the real one with --assume-fps",
    )


def _agree(stated_fps: float, measured_fps: float) -> bool:
    return abs(stated_fps / measured_fps - 1) <= _RATE_TOLERANCE


def _on_grid(times: Seconds, fps: float, time_base: Fraction) -> bool:
    """Whether frame i is shown at i / fps, apart from the rounding of the clock."""
    deviation = times - times[0] - np.arange(len(times)) / fps
    rounding = max(float(time_base), _ROUNDING_SECONDS) * 1.05
    spread = float(deviation.max() - deviation.min())
    return spread <= min(rounding, _MAX_SPREAD_FRAMES / fps)
