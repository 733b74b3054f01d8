"""One picture from a file, read the way that frames of videos are."""

import numpy as np
import numpy.typing as npt

from hiera_cli.errors import MediaError
from hiera_cli.video.decode import Frame, decode_video
from hiera_cli.video.info import Limits
from hiera_cli.video.protocols import Protocol

_ONE = Protocol("picture", num_clips=1, num_crops=1, num_frames=1)


def read_picture(path: str, *, limits: Limits | None = None) -> npt.NDArray[np.uint8]:
    """A picture, or the middle frame of a video: (H, W, 3) uint8 RGB, upright.

    Raises:
        MediaError: the file cannot be read.
    """
    rgb = None
    for event in decode_video(path, _ONE, limits=limits or Limits()):
        if isinstance(event, Frame):
            rgb = event.rgb
    if rgb is None:
        raise MediaError("no_frames", "no picture in the file")
    return rgb
