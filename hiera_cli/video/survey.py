"""What decoded frames say about a file: its size, its orientation, its times, its defects."""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import av
import numpy as np

from hiera_cli.errors import MediaError
from hiera_cli.options import MAX_PIXELS
from hiera_cli.video.container import OpenVideo
from hiera_cli.video.info import VideoInfo
from hiera_cli.video.packets import PacketScan
from hiera_cli.video.picture import Orientation, displayed_size, has_known_colours, orientation_of
from hiera_cli.video.sampling import Timeline
from hiera_cli.video.timeline import NO_TICK, Clock, doubts, make_timeline

_MAX_TOLD = 3


def clock_of(video: OpenVideo) -> Clock:
    """What the container says about the passing of time."""
    stream = video.stream
    rates = (stream.codec_context.framerate, stream.guessed_rate, stream.average_rate)
    nominal = next((float(rate) for rate in rates if rate), None)
    average = stream.average_rate or stream.guessed_rate
    stated = float(average) if average else None
    return Clock(video.time_base, stated, nominal, video.assumed_fps)


def predicted_timeline(video: OpenVideo, scan: PacketScan) -> Timeline:
    """When the frames are shown if each packet gives what it promises."""
    timeline, _warnings = make_timeline(
        scan.frame_ticks, clock_of(video), last_duration=scan.last_duration
    )
    return timeline


@dataclass(eq=False, slots=True)
class Survey:
    """A look at each decoded frame.

    Attributes:
        ticks: the presentation time of each frame, or else its decoding time.
        warnings: what was noticed.
    """

    ticks: "array[int]" = field(default_factory=lambda: array("q"))
    warnings: list[str] = field(default_factory=list)
    _format: tuple[int, int, str] | None = None
    _displayed: tuple[int, int] = (0, 0)
    _pixel_format: str = ""
    _orientation: Orientation = field(default_factory=Orientation)
    _last_duration: int | None = None

    def see(self, frame: av.VideoFrame) -> None:
        """Take note of the next frame."""
        shape = (frame.width, frame.height, frame.format.name)
        if self._format is None:
            self._displayed = displayed_size(frame)
            if frame.width * frame.height > MAX_PIXELS:
                self.warnings.append(
                    f"the picture is {frame.width}x{frame.height}: unusually large"
                )
            if not has_known_colours(frame):
                self.warnings.append("its colours are tagged in no known way: BT.601 is assumed")
            self._orientation = orientation_of(frame)
            self._pixel_format = frame.format.name
        elif shape != self._format:  # legal in H.264, VP9 and transport streams
            self.warnings.append(
                f"at frame {len(self.ticks)} the picture changes to "
                f"{shape[0]}x{shape[1]} {shape[2]}"
            )
        self._format = shape
        self._last_duration = frame.duration
        # raw streams have no presentation times at all; MPEG-PS lacks them for the last frames
        tick = frame.pts if frame.pts is not None else frame.dts
        self.ticks.append(NO_TICK if tick is None else tick)

    def timeline(self, video: OpenVideo) -> Timeline:
        """The times of the frames that really decoded."""
        ticks = np.array(self.ticks, dtype=np.int64)
        timeline, warnings = make_timeline(
            ticks, clock_of(video), last_duration=self._last_duration
        )
        self.warnings.extend(warnings)
        return timeline

    def info(self, video: OpenVideo, timeline: Timeline, damage: Sequence[str] = ()) -> VideoInfo:
        """The record of the file."""
        start = float(timeline.times_seconds[0])
        duration = timeline.end_seconds - start
        return VideoInfo(
            path=video.path,
            container=video.container.format.name,
            codec=video.stream.codec_context.codec.canonical_name,
            pixel_format=self._pixel_format,
            width=self._displayed[0],
            height=self._displayed[1],
            rotation=self._orientation.rotation,
            num_frames=timeline.num_frames,
            fps=timeline.fps,
            variable_frame_rate=not timeline.constant,
            duration_seconds=duration,
            start_seconds=start,
            warnings=(
                *_told(damage, "damaged: "),
                *_told(self.warnings),
                *(_false_duration(video, duration) if video.assumed_fps is None else ()),
                *(doubts(timeline) if video.assumed_fps is None else ()),
            ),
            timeline=timeline,
        )


def _told(signs: Iterable[str], prefix: str = "") -> tuple[str, ...]:
    """The first few different signs, and how many more there are."""
    different = list(dict.fromkeys(signs))
    told = [prefix + sign for sign in different[:_MAX_TOLD]]
    if len(different) > _MAX_TOLD:
        told.append(f"{prefix}{len(different) - _MAX_TOLD} more signs of this kind")
    return tuple(told)


def _false_duration(video: OpenVideo, duration_seconds: float) -> tuple[str, ...]:
    """A stated duration far beyond the last frame: cut short, or a lie."""
    stated_seconds = video.stated_seconds or 0.0
    if video.stream.duration is not None:
        stated_seconds = max(stated_seconds, float(video.stream.duration * video.time_base))
    if stated_seconds <= 1.5 * duration_seconds + 1:
        return ()
    return (
        f"the header states {stated_seconds:.4g} s, but the frames last {duration_seconds:.4g} s",
    )


def no_frames(scan: PacketScan, damage: Sequence[str]) -> MediaError:
    """The error for a file in which nothing decodes."""
    signs = [*scan.damage, *damage]
    if signs and (scan.num_frames or scan.damage):
        return MediaError("corrupt", f"none of its frames can be decoded: {signs[0]}")
    return MediaError("no_frames", "its video stream holds no frame")
