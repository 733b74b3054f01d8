"""Real footage filmed again: a virtual camera that moves inside the frames of a video."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hiera_cli.synth.camera import draw_path
from hiera_cli.synth.scenes import Layer, Scene
from hiera_cli.synth.staging import WINDOW_SECONDS, Rng, Shot
from hiera_cli.video.decode import Finished, Frame, Planned, decode_video
from hiera_cli.video.sampling import ClipPlan, Protocol

EXTENT = 2.0  # short sides of the view that the footage's short side covers
LENS = 6.0


@dataclass(frozen=True, eq=False, slots=True)
class Footage:
    """A window of a real video.

    Attributes:
        frames: (T, 3, H, W) float32 in 0..1.
    """

    frames: Tensor

    @property
    def still(self) -> "Footage":
        """Its first frame alone."""
        return Footage(self.frames[:1])


def read_footage(path: str, *, num_windows: int, shot: Shot) -> list[Footage]:
    """Evenly spread windows of 64/30 s, shrunk so that the view shows them at full sharpness.

    Raises:
        MediaError: the file cannot be read.
    """
    protocol = Protocol("footage", num_clips=num_windows, num_crops=1, num_frames=shot.num_frames)
    short_side = round(EXTENT * shot.short_side)
    plans: tuple[ClipPlan, ...] = ()
    pictures: dict[int, Tensor] = {}
    for event in decode_video(path, protocol):
        if isinstance(event, Planned):
            plans, pictures = event.clips, {}
        elif isinstance(event, Frame):
            pictures[event.frame_index] = _shrink(event, short_side)
        elif isinstance(event, Finished):
            plans = event.clips
    return [Footage(torch.stack([pictures[i] for i in plan.frame_indices])) for plan in plans]


def stage_footage(motion: str, rng: Rng, footage: Footage, shot: Shot) -> Scene:
    """The footage seen by a camera that moves; the view never leaves the frame by much."""
    times = np.arange(shot.num_frames) / shot.fps / WINDOW_SECONDS
    rows, columns = footage.frames.shape[-2:]
    slack_x = EXTENT * max(columns / rows, 1) - shot.width / shot.short_side
    slack_y = EXTENT * max(rows / columns, 1) - shot.height / shot.short_side
    limit = 0.9 * (slack_y if motion.startswith("tilt") else slack_x)
    path = draw_path(motion, rng, times, limit=limit if motion[:4] in ("pan ", "tilt") else np.inf)
    extent = EXTENT * max(rows / columns, 1)
    return Scene((Layer(footage.frames, extent),), path, lens=LENS)


def _shrink(frame: Frame, short_side: int) -> Tensor:
    """(3, H, W) float32 in 0..1, its short side at most `short_side`."""
    pixels = torch.from_numpy(frame.rgb).permute(2, 0, 1).float() / 255
    rows, columns = pixels.shape[1:]
    factor = short_side / min(rows, columns)
    if factor >= 1:
        return pixels
    size = (round(rows * factor), round(columns * factor))
    return F.interpolate(pixels[None], size=size, mode="area")[0]
