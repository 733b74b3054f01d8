"""Moments: instants of a video with boxes to look at, and the clips around them."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor

from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.video.clips import ClipReader
from hiera_cli.video.keyframe_clips import clips_around
from hiera_cli.video.sampling import ClipPlan

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class Moment:
    """An instant of a video, and the boxes to look at.

    Attributes:
        seconds: from the first frame.
        boxes: (N, 4) corners as fractions of the frame.
    """

    seconds: float
    boxes: Floats


def clips_at(
    reader: ClipReader, path: str, moments: Sequence[Moment], pixels: Preprocessing
) -> Generator[tuple[ClipPlan, Tensor], None, None]:
    """The clip that a model takes around each moment, ascending in time: see `clips_around`.

    Raises:
        MediaError: the file cannot be read, or ends before a whole clip begins.
    """
    return clips_around(
        reader,
        path,
        [moment.seconds for moment in moments],
        num_frames=pixels.num_frames,
        frame_stride=pixels.frame_stride,
        short_side=pixels.crop_size,
    )
