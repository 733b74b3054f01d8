"""Single frames of a video at given times, for thumbnails."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from av.video.reformatter import VideoReformatter

from hiera_cli.errors import MediaError
from hiera_cli.video.container import FOREIGN_ERRORS, OpenVideo, open_video
from hiera_cli.video.info import DEFAULT_LIMITS, Limits
from hiera_cli.video.local_file import local_file
from hiera_cli.video.picture import upright_rgb

Picture = npt.NDArray[np.uint8]
READ_ON_SECONDS = 4.0  # up to here reading on is taken to be cheaper than seeking
MOST_FRAMES = 600  # decoded for one picture


def read_stills(
    path: str, times_seconds: Sequence[float], *, limits: Limits = DEFAULT_LIMITS
) -> Iterator[tuple[float, Picture]]:
    """The frames on display at some times, as far as they can be had.

    Args:
        path: a file, a member of an archive or a URL.
        times_seconds: ascending presentation times.
        limits: what the file may cost.

    Yields:
        (time asked for, frame (H, W, 3) uint8). A file that cannot be read yields nothing.
    """
    try:
        with (
            local_file(path) as file,
            open_video(
                file, max_pixels=limits.max_pixels, timeout_seconds=limits.timeout_seconds
            ) as video,
        ):
            yield from _stills(video, times_seconds)
    except (MediaError, *FOREIGN_ERRORS):
        return


def _stills(video: OpenVideo, times: Sequence[float]) -> Iterator[tuple[float, Picture]]:
    reformatter = VideoReformatter()
    frames = video.container.decode(video.stream)
    shown, following = None, next(frames, None)
    for seconds in times:
        position = shown.time if shown is not None and shown.time is not None else 0.0
        if seconds > position + READ_ON_SECONDS:
            offset = int(max(0.0, seconds) / video.time_base)
            video.container.seek(offset, stream=video.stream)
            frames = video.container.decode(video.stream)
            following = next(frames, following)
        for _ in range(MOST_FRAMES):
            if following is None or (
                shown is not None and following.time is not None and following.time > seconds + 1e-6
            ):
                break
            shown, following = following, next(frames, None)
        if shown is None:
            return
        yield seconds, upright_rgb(shown, reformatter)
