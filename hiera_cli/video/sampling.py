"""Which frames make up a clip: arithmetic on frame counts and times, nothing else.

The rules are those of SlowFast's test loader, which the Hiera paper's numbers rest on: a clip
of T frames with stride τ covers τ·T/30 seconds; K clips are spread evenly over the video.
`dense` lays clips of the same length back to back instead. Training draws where a clip starts,
and Something-Something-style models sample one frame of each of T equal segments.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hiera_cli.video.protocols import TARGET_FPS, Protocol
from hiera_cli.video.windows import lay_windows

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, slots=True)
class Timeline:
    """When each frame of a video is shown.

    Attributes:
        fps: average frame rate.
        times_seconds: presentation time of each frame in display order, float64, ascending;
            its length is the number of frames.
        end_seconds: when the last frame stops being shown.
        constant: whether the rate is constant, so that frame i is shown i / fps after frame 0.
    """

    fps: float
    times_seconds: npt.NDArray[np.float64]
    end_seconds: float
    constant: bool

    @property
    def num_frames(self) -> int:
        """Number of frames."""
        return len(self.times_seconds)

    def frame_end_seconds(self, frame_index: int) -> float:
        """When the frame stops being shown."""
        following = frame_index + 1
        if following < self.num_frames:
            return float(self.times_seconds[following])
        return self.end_seconds

    def shown_at_index(self, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Frames on display when, at a constant rate, frames `indices` would be.

        The identity for a constant rate; otherwise the frame with the largest time ≤ index / fps
        after the first frame (a microsecond of rounding allowed).
        """
        if self.constant:
            return indices
        targets = self.times_seconds[0] + indices / self.fps + 1e-6
        shown = np.searchsorted(self.times_seconds, targets, side="right") - 1
        return np.asarray(np.clip(shown, 0, self.num_frames - 1), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class ClipPlan:
    """The frames of one clip.

    Attributes:
        clip_index: position among the clips of the video.
        frame_indices: T indices into the frames in display order, never descending.
        times_seconds: presentation times of those frames.
        start_seconds: presentation time of the first sampled frame.
        end_seconds: when the last sampled frame stops being shown.
    """

    clip_index: int
    frame_indices: tuple[int, ...]
    times_seconds: tuple[float, ...]
    start_seconds: float
    end_seconds: float


def plan_clips(timeline: Timeline, protocol: Protocol) -> tuple[ClipPlan, ...]:
    """The clips that a protocol takes from a video; at least one.

    Raises:
        ValueError: the timeline has no frame.
    """
    if timeline.num_frames == 0:
        raise ValueError("cannot plan clips of a video without frames")
    if protocol.centers_seconds is not None:
        return _centered_clips(timeline, protocol)
    if protocol.sampling == "segments":
        return _segment_clips(timeline, protocol)
    if protocol.num_clips is None:
        return _windows(timeline, protocol)
    span_frames = max(1.0, protocol.window_seconds * timeline.fps)
    starts = _clip_starts(timeline, protocol, span_frames)
    return tuple(
        _clip_at(index, _positions(start, span_frames, timeline, protocol.num_frames), timeline)
        for index, start in enumerate(starts)
    )


def _clip_starts(timeline: Timeline, protocol: Protocol, span_frames: float) -> list[float]:
    """First frame of each of evenly spread clips, counted in frames at the average rate."""
    assert protocol.num_clips is not None
    slack = max(timeline.num_frames - span_frames, 0.0)
    if protocol.draws is not None:
        return [slack * draw for draw in protocol.draws]
    if protocol.num_clips == 1:
        return [slack // 2]
    step = slack // (protocol.num_clips - 1)
    return [clip_index * step for clip_index in range(protocol.num_clips)]


def _windows(timeline: Timeline, protocol: Protocol) -> tuple[ClipPlan, ...]:
    """Back-to-back windows of the protocol's length, or with its hop."""
    hop_seconds = protocol.hop_seconds or protocol.window_seconds
    span_frames = max(1.0, protocol.window_seconds * timeline.fps)

    def frames_from(start: float) -> Indices:
        positions = _positions(start, span_frames, timeline, protocol.num_frames)
        return timeline.shown_at_index(positions)

    times = np.arange(timeline.num_frames) if timeline.constant else timeline.times_seconds
    scale = 1.0 if timeline.constant else timeline.fps
    rows = lay_windows(
        (times - times[0]) * scale,
        constant=timeline.constant,
        hop_frames=hop_seconds * timeline.fps,
        span_frames=span_frames,
        num_frames=protocol.num_frames,
        leaves_gaps=hop_seconds > protocol.window_seconds,
        frames_from=frames_from,
    )
    return tuple(_clip_of(index, row, timeline) for index, row in enumerate(rows))


def _positions(start: float, span_frames: float, timeline: Timeline, num_frames: int) -> Indices:
    """T frames of a clip, counted at the average rate."""
    positions = linspace(start, start + span_frames - 1, num_frames)
    return np.floor(np.clip(positions, 0, timeline.num_frames - 1)).astype(np.int64)


def _segment_clips(timeline: Timeline, protocol: Protocol) -> tuple[ClipPlan, ...]:
    """One frame of each of T equal parts: the middle one, or the drawn one.

    The rule of SlowFast's Something-Something loader: part i is round((N - 1)/T · i) to
    round((N - 1)/T · (i + 1)), both included.
    """
    num_frames, num_clips = protocol.num_frames, protocol.num_clips or 1
    size = (timeline.num_frames - 1) / num_frames
    edges = np.array([round(size * i) for i in range(num_frames + 1)], dtype=np.int64)
    first, last = edges[:-1], edges[1:]
    if protocol.draws is None:
        return tuple(_clip_at(k, (first + last) // 2, timeline) for k in range(num_clips))
    draws = np.array(protocol.draws).reshape(num_clips, num_frames)
    chosen = first + np.floor(draws * (last - first + 1)).astype(np.int64)
    return tuple(_clip_at(k, row, timeline) for k, row in enumerate(chosen))


def _centered_clips(timeline: Timeline, protocol: Protocol) -> tuple[ClipPlan, ...]:
    """A clip around each instant: its frame k is T/2 - k strides before it.

    The rule of SlowFast's AVA loader: `range(c - T*s/2, c + T*s/2, s)` at 30 frames a second,
    beyond the ends the first or the last frame.
    """
    span_frames = protocol.num_frames * protocol.frame_stride
    steps = np.arange(protocol.num_frames) * protocol.frame_stride
    offsets = (steps - span_frames // 2) / TARGET_FPS
    last = timeline.num_frames - 1
    clips = []
    for index, center in enumerate(protocol.centers_seconds or ()):
        positions = np.floor((center + offsets) * timeline.fps + 1e-6)
        clips.append(_clip_at(index, np.clip(positions, 0, last).astype(np.int64), timeline))
    return tuple(clips)


def _clip_at(clip_index: int, positions: Indices, timeline: Timeline) -> ClipPlan:
    """The clip of the frames on display at `positions`, counted at the average rate."""
    return _clip_of(clip_index, timeline.shown_at_index(positions), timeline)


def _clip_of(clip_index: int, chosen: Indices, timeline: Timeline) -> ClipPlan:
    """The clip of the frames `chosen`."""
    times = timeline.times_seconds[chosen]
    return ClipPlan(
        clip_index=clip_index,
        frame_indices=tuple(int(i) for i in chosen),
        times_seconds=tuple(float(t) for t in times),
        start_seconds=float(times[0]),
        end_seconds=timeline.frame_end_seconds(int(chosen[-1])),
    )


def linspace(start: float, stop: float, num: int) -> npt.NDArray[np.float32]:
    """`num` evenly spaced float32 values, bit for bit those of torch.linspace.

    Counted from both ends with a float32 step; product and sum are rounded once, as the fused
    multiply-add there does (the float64 product of two float32 is exact).
    """
    first, last = np.float32(start), np.float32(stop)
    step = np.float64((last - first) / np.float32(max(num - 1, 1)))
    i = np.arange(num)
    forward = np.float64(first) + step * i
    backward = np.float64(last) - step * (num - 1 - i)
    return np.where(i < max(num // 2, 1), forward, backward).astype(np.float32)
