"""Writing video: RGB frames in, a finished H.264 or VP9 file out."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import cast

import av
import numpy as np
import numpy.typing as npt
from av.container import OutputContainer
from av.video.stream import VideoStream

from hiera_cli.errors import OutputError, UsageError
from hiera_cli.files import replacing

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Encoding:
    """How frames are compressed.

    Attributes:
        encoder: FFmpeg's name of the encoder.
        container: FFmpeg's name of the file format.
        options: encoder options.
    """

    encoder: str
    container: str
    options: tuple[tuple[str, str], ...]


def h264(*, crf: int = 23, preset: str = "medium") -> Encoding:
    """H.264 in MP4: plays everywhere. `crf` 0..51, lower is better and larger."""
    return Encoding("libx264", "mp4", (("crf", str(crf)), ("preset", preset)))


def vp9(*, crf: int = 32) -> Encoding:
    """VP9 in WebM: free of patents, slower to write. `crf` 0..63, lower is better and larger."""
    return Encoding(
        "libvpx-vp9",
        "webm",
        (("crf", str(crf)), ("b", "0"), ("deadline", "good"), ("cpu-used", "3")),
    )


def encoding_for(path: Path) -> Encoding:
    """The usual encoding for a file name.

    Raises:
        UsageError: the suffix is none of .mp4, .mkv, .mov, .webm.
    """
    suffix = path.suffix.lower()
    if suffix == ".webm":
        return vp9()
    containers = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}
    if suffix not in containers:
        raise UsageError(
            f"cannot write video to '{path.name}'", hint="end the name in .mp4, .mkv, .mov or .webm"
        )
    usual = h264()
    return Encoding(usual.encoder, containers[suffix], usual.options)


def write_video(
    path: Path, frames: Iterable[Picture], *, fps: float, encoding: Encoding | None = None
) -> int:
    """Write frames to a file, which appears under its name only when complete.

    Args:
        path: the file; its folder exists.
        frames: (H, W, 3) uint8 RGB, all of one size with even sides; taken one at a time.
        fps: constant frame rate.
        encoding: by the suffix of the name when not given.

    Returns:
        The number of frames written.

    Raises:
        UsageError: no frames, sides that are odd, or a suffix that names no known format.
        OutputError: the encoder is missing, or the file could not be written.
    """
    encoding = encoding or encoding_for(path)
    pictures = iter(frames)
    first = next(pictures, None)
    if first is None:
        raise UsageError(f"no frames to write to '{path}'")
    try:
        with replacing(path) as part:
            return _encode(part, chain((first,), pictures), first.shape, fps, encoding)
    except av.FFmpegError as error:
        raise OutputError(f"cannot write '{path}': {error}") from error


def _encode(
    part: Path, pictures: Iterable[Picture], shape: tuple[int, ...], fps: float, encoding: Encoding
) -> int:
    with av.open(f"file:{part}", "w", format=encoding.container) as container:
        stream = _add_stream(container, shape, fps, encoding)
        num_frames = 0
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            container.mux(stream.encode(frame))
            num_frames += 1
        container.mux(stream.encode(None))
    return num_frames


def _add_stream(
    container: OutputContainer, shape: tuple[int, ...], fps: float, encoding: Encoding
) -> VideoStream:
    height, width = shape[:2]
    if height % 2 or width % 2:
        raise UsageError(f"video sides must be even, not {width}×{height}")
    rate = Fraction(fps).limit_denominator(30000)
    try:
        added = container.add_stream(encoding.encoder, rate=rate, options=dict(encoding.options))
    except ValueError as error:
        raise OutputError(f"PyAV was built without {encoding.encoder}") from error
    stream = cast(VideoStream, added)
    stream.width, stream.height = width, height
    stream.pix_fmt = "yuv420p"
    stream.codec_context.thread_count = 1
    return stream
