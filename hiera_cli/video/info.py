"""What is known about a video file, and what reading it may cost."""

from dataclasses import dataclass
from typing import Self

from hiera_cli.options import MAX_PIXELS, TIMEOUT_SECONDS, DecodeOptions
from hiera_cli.video.sampling import Timeline


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may cost, and what may be used to read it.

    Attributes:
        max_pixels: pixels in a picture.
        timeout_seconds: decoding time per video; None: no limit.
        max_silent_packets: packets in a row without a frame.
        hardware: FFmpeg's device type that decodes files in good order; None: the processor.
        assumed_fps: the frame rate, whatever the file states; None: what it states.
    """

    max_pixels: int = MAX_PIXELS
    timeout_seconds: float | None = TIMEOUT_SECONDS
    max_silent_packets: int = 20_000
    hardware: str | None = None
    assumed_fps: float | None = None

    @classmethod
    def of(cls, options: DecodeOptions) -> Self:
        """The limits that a user's options set."""
        return cls(
            max_pixels=options.max_pixels,
            timeout_seconds=options.timeout or None,
            assumed_fps=options.assume_fps,
        )


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, eq=False, slots=True)
class VideoInfo:
    """What is in a video file.

    Attributes:
        path: as given.
        container: FFmpeg's name of the format.
        codec: FFmpeg's name of the codec.
        pixel_format: FFmpeg's name, from the first frame.
        width: of the upright picture, in stored pixels.
        height: of the upright picture.
        rotation: degrees clockwise that make the stored picture upright: 0, 90, 180, 270.
        num_frames: frames that decode.
        fps: average rate.
        variable_frame_rate: whether frames are shown for unequal times.
        duration_seconds: from the start of the first frame to the end of the last.
        start_seconds: when the first frame is shown, on the container's clock.
        warnings: what is wrong with the file, in words.
        timeline: the times of all frames.
    """

    path: str
    container: str
    codec: str
    pixel_format: str
    width: int
    height: int
    rotation: int
    num_frames: int
    fps: float
    variable_frame_rate: bool
    duration_seconds: float
    start_seconds: float
    warnings: tuple[str, ...]
    timeline: Timeline
