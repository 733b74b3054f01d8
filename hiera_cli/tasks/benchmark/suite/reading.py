"""What a video costs before the model sees it, step by step, in processor time of one thread.

Each layer does what the one before does and one thing more; the difference is that thing's.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from hiera_cli.errors import MediaError, NoInputError
from hiera_cli.inference.loader import LoaderOptions
from hiera_cli.inference.threads import computing_threads
from hiera_cli.inputs import InputPath
from hiera_cli.tasks.benchmark.timing import cpu_seconds
from hiera_cli.video.clips import ClipReader
from hiera_cli.video.crops import Crops, crop_frame
from hiera_cli.video.decode import Frame, decode_video
from hiera_cli.video.passes import DoubtError, all_frames, wanted_frames
from hiera_cli.video.reader import Reader
from hiera_cli.video.sampling import plan_clips
from hiera_cli.video.survey import predicted_timeline


@dataclass(frozen=True, slots=True)
class ReadingFigures:
    """One video, in milliseconds of a core.

    Attributes:
        open_ms: the file and what FFmpeg finds out about it.
        survey_ms: the pass over the packets, and the plan.
        decode_ms: the frames that the plan needs.
        convert_ms: sampled frames to RGB, upright.
        crop_ms: resize and crops.
        isolate_ms: what a process of its own and shared memory add.
    """

    open_ms: float
    survey_ms: float
    decode_ms: float
    convert_ms: float
    crop_ms: float
    isolate_ms: float


def reading_figures(files: Sequence[InputPath], loader: LoaderOptions) -> ReadingFigures:
    """The split, over the videos that one pass suffices for.

    Raises:
        NoInputError: none is.
    """
    good = [file.path for file in files if _is_readable(file.path, loader)]
    if not good:
        raise NoInputError("none of the videos can be read in one pass")
    layers = (_open, _survey, _decode, _read, _crop)
    with computing_threads(1):
        costs = [0.0] + [_thread_ms(layer, good, loader) for layer in layers]
        isolated = _isolated_ms(good, loader)
    opening, survey, decoding, converting, cropping = (b - a for a, b in pairwise(costs))
    return ReadingFigures(
        open_ms=opening,
        survey_ms=survey,
        decode_ms=decoding,
        convert_ms=converting,
        crop_ms=cropping,
        isolate_ms=isolated - costs[-1],
    )


def _is_readable(path: str, loader: LoaderOptions) -> bool:
    try:
        _decode(path, loader)
        _read(path, loader)
    except (MediaError, DoubtError):
        return False
    return True


def _thread_ms(
    layer: Callable[[str, LoaderOptions], object], paths: Sequence[str], loader: LoaderOptions
) -> float:
    layer(paths[0], loader)  # tables are set up, code is loaded
    start = time.thread_time()
    for path in paths:
        layer(path, loader)
    return 1000 * (time.thread_time() - start) / len(paths)


def _open(path: str, loader: LoaderOptions) -> None:
    with Reader(path, loader.limits):
        pass


def _survey(path: str, loader: LoaderOptions) -> None:
    with Reader(path, loader.limits) as reader:
        plan_clips(predicted_timeline(reader.video, reader.scan()), loader.protocol)


def _decode(path: str, loader: LoaderOptions) -> None:
    with Reader(path, loader.limits) as reader:
        scan = reader.scan()
        clips = plan_clips(predicted_timeline(reader.video, scan), loader.protocol)
        wanted = sorted({index for clip in clips for index in clip.frame_indices})
        decoder, packets = reader.start()
        if not scan.regular:
            deque(all_frames(decoder, packets), maxlen=0)
            return
        with closing(wanted_frames(decoder, packets, scan, wanted)) as frames:
            deque(frames, maxlen=0)


def _read(path: str, loader: LoaderOptions) -> None:
    for _ in decode_video(path, loader.protocol, limits=loader.limits):
        pass


def _crop(path: str, loader: LoaderOptions) -> None:
    for event in decode_video(path, loader.protocol, limits=loader.limits):
        if isinstance(event, Frame):
            crop_frame(event.rgb, loader.crop_plan)


def _isolated_ms(paths: Sequence[str], loader: LoaderOptions) -> float:
    """As `_crop` in a process of its own: two passes less one, so that its start is not in it."""
    once, twice = (_isolated_seconds(list(paths) * times, loader) for times in (1, 2))
    return 1000 * (twice - once) / len(paths)


def _isolated_seconds(paths: Sequence[str], loader: LoaderOptions) -> float:
    start = cpu_seconds()
    reader = ClipReader(isolate=True, limits=loader.limits)

    def crop(_: int, rgb: npt.NDArray[np.uint8]) -> Crops:
        return crop_frame(rgb, loader.crop_plan)

    with closing(reader):
        for path in paths:
            for _ in reader.read(path, loader.protocol, view_of=crop, shared=True):
                pass
    return cpu_seconds() - start
