"""A video written anew with something drawn on its frames: same frames, same times, same sound."""

import math
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import VideoReformatter

from hiera_cli.errors import MediaError, OutputError
from hiera_cli.files import replacing
from hiera_cli.video.encode import encoding_for
from hiera_cli.video.info import Limits, VideoInfo
from hiera_cli.video.passes import all_frames
from hiera_cli.video.picture import upright_rgb
from hiera_cli.video.reader import Reader
from hiera_cli.video.timed import TimedWriter, open_sound

Picture = npt.NDArray[np.uint8]
Draw = Callable[[float, Picture], Picture]
"""(presentation time, frame (H, W, 3) uint8) -> a frame of the same size."""


def read_upright(path: str, *, limits: Limits) -> Iterator[Picture]:
    """All frames of a video in display order, (H, W, 3) uint8 RGB, one at a time.

    Raises:
        MediaError: the file cannot be read as video.
    """
    reformatter = VideoReformatter()
    with Reader(path, limits) as reader:
        decoder, packets = reader.start()
        with closing(all_frames(decoder, packets)) as frames:
            for frame in frames:
                reader.budget.pause()
                yield upright_rgb(frame, reformatter)
                reader.budget.resume()


def rewrite_video(info: VideoInfo, out: Path, *, draw: Draw, limits: Limits) -> Iterator[float]:
    """Write a video with something drawn on it; the file appears when it is complete.

    Args:
        info: of the video, after a whole pass over it.
        out: a name in .mp4, .mkv, .mov or .webm.
        draw: draws on a frame.
        limits: what decoding may cost.

    Yields:
        the presentation time of each frame, when it is written.

    Raises:
        MediaError: the video cannot be read any more, or is not what it was.
        UsageError: the suffix names no known format.
        OutputError: the file cannot be written.
    """
    encoding, times = encoding_for(out), info.timeline.times_seconds
    zero = info.start_seconds
    try:
        with (
            replacing(out) as part,
            closing(read_upright(info.path, limits=limits)) as frames,  # type: ignore[type-var]
            TimedWriter(
                part,
                encoding,
                size=(info.width, info.height),
                fps=info.fps,
                zero_seconds=zero,
                sound=open_sound(info.path, -math.inf, math.inf, limits=limits),
            ) as writer,
        ):
            num_frames = 0
            for index, picture in enumerate(frames):
                if index >= len(times):
                    break
                seconds = float(times[index])
                lasts = info.timeline.frame_end_seconds(index) - seconds
                writer.write(seconds, draw(seconds, picture), duration_seconds=lasts)
                num_frames += 1
                yield seconds
            if num_frames != len(times):
                raise MediaError("corrupt", "it decodes differently each time")
    except av.FFmpegError as error:
        raise OutputError(f"cannot write '{out}': {error}", hint="name it .mkv") from error
