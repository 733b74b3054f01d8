"""Clips around key frames of a video, at a short side of the caller's choice."""

from collections.abc import Generator, Sequence
from contextlib import closing

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from hiera_cli.errors import MediaError
from hiera_cli.video.clips import ClipReader
from hiera_cli.video.sampling import ClipPlan, Protocol


def clips_around(
    reader: ClipReader,
    path: str,
    centers_seconds: Sequence[float],
    *,
    num_frames: int,
    frame_stride: int,
    short_side: int,
) -> Generator[tuple[ClipPlan, Tensor], None, None]:
    """One clip for each instant, in order: its times, and (3, T, h, w) uint8.

    Args:
        reader: decodes.
        path: a local file.
        centers_seconds: ascending, from the first frame.
        num_frames: T.
        frame_stride: distance of frames at 30 a second.
        short_side: of the frames, in pixels.

    Raises:
        MediaError: the file cannot be read, or ends before a whole clip begins.
    """
    protocol = Protocol(
        "key frames",
        num_clips=None,
        num_crops=1,
        num_frames=num_frames,
        frame_stride=frame_stride,
        centers_seconds=tuple(centers_seconds),
    )

    def shrink(_: int, rgb: npt.NDArray[np.uint8]) -> Tensor:
        return with_short_side(rgb, short_side)

    clips = reader.read(path, protocol, view_of=shrink, shared=True)
    with closing(clips):
        for center, (plan, frames) in zip(centers_seconds, clips, strict=True):
            begins_late = center > protocol.window_seconds / 2
            if begins_late and plan.frame_indices[0] == plan.frame_indices[-1] and num_frames > 1:
                raise MediaError(
                    "corrupt",
                    f"a key frame at second {center:g} of a video that ends at second "
                    f"{plan.end_seconds:.1f}: it is another video, or was cut",
                )
            yield plan, torch.stack(frames, dim=1)


def with_short_side(rgb: npt.NDArray[np.uint8], short_side: int) -> Tensor:
    """(H, W, 3) uint8 to (3, h, w) uint8, bilinear."""
    height, width = rgb.shape[:2]
    factor = short_side / min(height, width)
    size = (round(height * factor), round(width * factor))
    pixels = torch.from_numpy(rgb).permute(2, 0, 1)[None].float()
    resized = F.interpolate(pixels, size=size, mode="bilinear", antialias=True)
    return resized[0].round().clamp(0, 255).to(torch.uint8)
