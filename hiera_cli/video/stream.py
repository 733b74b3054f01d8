"""Frames from a camera or a pipe, as they come."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import VideoReformatter

from hiera_cli.errors import MediaError
from hiera_cli.video.container import FOREIGN_ERRORS, FORMATS
from hiera_cli.video.picture import upright_rgb

Picture = npt.NDArray[np.uint8]
PROBE_BYTES = 2**18  # enough to tell the format; a camera should not be watched for seconds first
FALLBACK_FPS = 30.0


class ByteSource(Protocol):
    """Something that gives bytes, at most so many, as soon as there are some."""

    def read(self, size: int, /) -> bytes | None:
        """Some bytes; none at the end."""


class _Pipe:
    """A pipe as FFmpeg may use it: read, never sought."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source

    def read(self, size: int) -> bytes:
        return self._source.read(size) or b""


def read_pipe(source: BinaryIO | ByteSource, *, max_pixels: int) -> Iterator[tuple[float, Picture]]:
    """Frames of a video that arrives through a pipe.

    Args:
        source: bytes of a container that can be read from the start (MPEG-TS, Matroska, FLV,
            fragmented MP4, y4m, raw H.264 …).
        max_pixels: larger pictures are refused.

    Yields:
        (seconds after the first frame, frame (H, W, 3) uint8), as they are decoded.

    Raises:
        MediaError: no video can be read from it.
    """
    raw = getattr(source, "raw", source)  # a buffered reader waits for a full buffer
    options = {"format_whitelist": FORMATS, "probesize": str(PROBE_BYTES)}
    yield from _frames(_Pipe(raw), None, options, max_pixels)


def read_camera(device: str, *, max_pixels: int) -> Iterator[tuple[float, Picture]]:
    """Frames of a camera, `/dev/video0` (Video4Linux); yields and errors as `read_pipe`."""
    if not Path(device).exists():
        cameras = ", ".join(sorted(str(path) for path in Path("/dev").glob("video*")))
        raise MediaError(
            "not_found", f"there is no such camera; this machine has {cameras or 'none'}"
        )
    yield from _frames(device, "v4l2", {}, max_pixels)


def _frames(
    place: Any, form: str | None, options: dict[str, str], max_pixels: int
) -> Iterator[tuple[float, Picture]]:
    reformatter, num_frames, zero = VideoReformatter(), 0, None
    try:
        with av.open(place, format=form, options=options) as container:
            if not container.streams.video:
                raise MediaError("no_video_stream", "it holds no video")
            stream = container.streams.video[0]
            fps = float(stream.average_rate or stream.guessed_rate or FALLBACK_FPS)
            for frame in container.decode(stream):
                if frame.width * frame.height > max_pixels:
                    raise MediaError("too_large", f"its picture is {frame.width}x{frame.height}")
                seconds = num_frames / fps if frame.time is None else float(frame.time)
                zero = seconds if zero is None else zero
                num_frames += 1
                yield seconds - zero, upright_rgb(frame, reformatter)
    except FOREIGN_ERRORS as error:
        if num_frames == 0:
            raise MediaError("not_a_video", f"nothing can be read from it: {error}") from error
