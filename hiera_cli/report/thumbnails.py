"""Small pictures of what the model saw: sampled frames as JPEG data URIs."""

import base64
import io
import logging

import numpy as np
import numpy.typing as npt
from PIL import Image

from hiera_cli.errors import MediaError
from hiera_cli.video.decode import Finished, Frame, Planned, decode_video
from hiera_cli.video.sampling import ClipPlan, Protocol

logger = logging.getLogger("hiera_cli")

NUM_FRAMES = 5
HEIGHT, MAX_WIDTH = 96, 200
JPEG_QUALITY = 68


def film_strip(path: str, protocol: Protocol) -> tuple[str, ...]:
    """Some of the frames that a protocol samples from a video, spread over it, as data URIs.

    Empty when the video cannot be decoded any more: the report goes without.
    """
    pictures: dict[int, str] = {}
    wanted: tuple[int, ...] = ()
    try:
        for event in decode_video(path, protocol):
            if isinstance(event, Planned):
                wanted = spread(event.clips)
                pictures = {}
            elif isinstance(event, Frame) and event.frame_index in wanted:
                pictures[event.frame_index] = as_data_uri(event.rgb)
            elif isinstance(event, Finished):
                wanted = spread(event.clips)
    except MediaError as error:
        logger.debug("no thumbnails of %s: %s", path, error.message)
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
