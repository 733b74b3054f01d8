"""Small pictures of what the model saw: sampled frames as JPEG data URIs."""

import base64
import io
import logging
from collections.abc import Iterator, Mapping
from contextlib import closing

import numpy as np
import numpy.typing as npt
from PIL import Image

from hiera_cli.errors import MediaError
from hiera_cli.video.decode import Event, Frame, Limits, Planned
from hiera_cli.video.isolation.parent import DecodeProcess
from hiera_cli.video.local_file import local_file
from hiera_cli.video.protocols import Protocol
from hiera_cli.video.sampling import ClipPlan

logger = logging.getLogger("hiera_cli")

NUM_FRAMES = 5
HEIGHT, MAX_WIDTH = 96, 200
JPEG_QUALITY = 68


def film_strips(
    paths: Mapping[str, str], protocol: Protocol, *, limits: Limits
) -> dict[str, tuple[str, ...]]:
    """Some of the frames that a protocol samples from each video, spread over it.

    Args:
        paths: the videos, by name.
        protocol: which frames are sampled.
        limits: what decoding a video may cost.

    Returns:
        Data URIs by name; none for a video that cannot be decoded any more.
    """
    with closing(DecodeProcess()) as process:
        return {
            name: _film_strip_of(path, process, protocol, limits) for name, path in paths.items()
        }


def _film_strip_of(
    path: str, process: DecodeProcess, protocol: Protocol, limits: Limits
) -> tuple[str, ...]:
    try:
        with local_file(path) as file:
            return _film_strip(process.decode(file, protocol, limits=limits))
    except MediaError as error:
        logger.debug("no thumbnails: %s", error.message)
        return ()


def _film_strip(events: Iterator[Event]) -> tuple[str, ...]:
    pictures: dict[int, str] = {}
    wanted: tuple[int, ...] = ()
    for event in events:
        if isinstance(event, Frame):
            if event.frame_index in wanted:
                pictures[event.frame_index] = as_data_uri(event.rgb)
            continue
        wanted = spread(event.clips)
        if isinstance(event, Planned):
            pictures = {}
    return tuple(pictures[index] for index in wanted if index in pictures)


def spread(clips: tuple[ClipPlan, ...]) -> tuple[int, ...]:
    """At most `NUM_FRAMES` of the sampled frames, evenly chosen, first and last among them."""
    sampled = sorted({index for clip in clips for index in clip.frame_indices})
    places = np.linspace(0, len(sampled) - 1, min(NUM_FRAMES, len(sampled))).round().astype(int)
    return tuple(sampled[place] for place in places)


def as_data_uri(rgb: npt.NDArray[np.uint8]) -> str:
    """A frame (H, W, 3) uint8, made small, as a JPEG data URI."""
    height, width = rgb.shape[:2]
    scale = min(HEIGHT / height, MAX_WIDTH / width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    memory = io.BytesIO()
    picture = Image.fromarray(rgb).resize(size, Image.Resampling.BOX, reducing_gap=2.0)
    picture.save(memory, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(memory.getvalue()).decode("ascii")
