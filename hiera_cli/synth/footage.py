"""Real footage filmed again: a virtual camera that moves inside the frames of a video."""

from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hiera_cli.synth.camera import draw_path
from hiera_cli.synth.movers import draw_movers, draw_passers
from hiera_cli.synth.props import Props
from hiera_cli.synth.scenes import Layer, Look, Scene, ground_detail
from hiera_cli.synth.staging import MAX_DRAWS, MIN_DETAIL, WINDOW_SECONDS, Rng, Shot
from hiera_cli.video.decode import Finished, Frame, Planned, decode_video
from hiera_cli.video.protocols import TARGET_FPS, Protocol
from hiera_cli.video.sampling import ClipPlan

EXTENTS = (1.15, 2.2)  # short sides of the view that the footage's short side covers
LENS = 6.0
EDGE = 0.03  # of 1: the gradient from which a pixel shows whether the picture moves
KEPT = 0.7  # of its gradient that a pixel keeps, averaged over time, when the picture rests


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

    @property
    def shows_movement(self) -> bool:
        """Whether a virtual camera in it can be told: there are edges, and its own camera rests."""
        edges = edges_at_rest(self.frames)
        return edges.seen >= 0.02 and edges.kept >= 0.5 and edges.agreement >= 0.5


@dataclass(frozen=True, slots=True)
class Edges:
    """What the edges in a window of a video say about its camera.

    Attributes:
        seen: share of pixels that are edges.
        kept: share of these that stay where they are; things that move take away only their own.
        agreement: least cosine of a frame's gradients with their mean; a cut, or a frame of
            something else, brings it down to about 0.
    """

    seen: float
    kept: float
    agreement: float


def edges_at_rest(frames: Tensor) -> Edges:
    """The edges of (T, 3, H, W) float32 in 0..1.

    An edge that stays keeps its gradient when all frames are averaged; a camera that moves blurs
    every edge.
    """
    gray = frames.mean(1)
    corner = gray[:, :-1, :-1]
    slopes = torch.stack([gray[:, :-1, 1:] - corner, gray[:, 1:, :-1] - corner], dim=1)
    mean = slopes.mean(0)
    each, together = slopes.norm(dim=1).mean(0), mean.norm(dim=0)
    is_edge = each > EDGE
    if not is_edge.any():
        return Edges(0.0, 0.0, 0.0)
    kept = together[is_edge] > KEPT * each[is_edge]
    cosines = F.cosine_similarity(slopes.flatten(1), mean.flatten()[None])
    return Edges(*(float(x) for x in (is_edge.float().mean(), kept.float().mean(), cosines.min())))


def read_footage(path: str, *, num_windows: int, shot: Shot) -> list[Footage]:
    """Evenly spread windows, as long as the shot, shrunk so that the view shows them sharply.

    Raises:
        MediaError: the file cannot be read.
    """
    protocol = Protocol(
        "footage",
        num_clips=num_windows,
        num_crops=1,
        num_frames=shot.num_frames,
        frame_stride=round(TARGET_FPS / shot.fps),
    )
    short_side = round(EXTENTS[1] * shot.short_side)
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


@dataclass(frozen=True, eq=False, slots=True)
class Staging:
    """What is added to real footage.

    Attributes:
        look: noise, blur, flicker, bars.
        props: textures of things that move in front of it; None: nothing does.
    """

    look: Look = field(default_factory=Look)
    props: Props | None = None


AS_IT_IS = Staging()


def stage_footage(
    motion: str, rng: Rng, footage: Footage, shot: Shot, *, added: Staging = AS_IT_IS
) -> Scene:
    """The footage seen by a camera that moves; the view never leaves the frame by much.

    Views of parts without detail, where nobody could tell, are drawn again.
    """
    for _ in range(MAX_DRAWS):
        scene = _draw_view(motion, rng, footage, shot, added)
        if ground_detail(scene, shot.width, shot.height) >= MIN_DETAIL:
            break
    return scene


def _draw_view(motion: str, rng: Rng, footage: Footage, shot: Shot, added: Staging) -> Scene:
    """A view somewhere in the footage: a part of it, or nearly all."""
    times = np.arange(shot.num_frames) / shot.fps / WINDOW_SECONDS
    rows, columns = footage.frames.shape[-2:]
    extent = rng.uniform(*EXTENTS) * max(rows / columns, 1)
    slack_x = extent * columns / rows - shot.width / shot.short_side
    slack_y = extent - shot.height / shot.short_side
    limits = {"pan": slack_x, "tilt": slack_y, "zoom": _largest_zoom(slack_x, slack_y, shot)}
    limit = 0.9 * limits.get(motion.split()[0], np.inf)
    path = draw_path(motion, rng, times, limit=limit)
    shifts = [
        rng.uniform(-0.45, 0.45) * max(slack - np.ptp(curve), 0)
        for slack, curve in ((slack_x, path.x), (slack_y, path.y))
    ]
    layers = [Layer(footage.frames, extent, x=np.array(shifts[:1]), y=np.array(shifts[1:]))]
    if added.props:
        layers += draw_passers(rng, added.props, footage.frames[:1], times)
        layers += draw_movers(rng, added.props, times) if rng.random() < 0.4 else []
    return Scene(tuple(layers), path, lens=LENS, look=added.look)


def _largest_zoom(slack_x: float, slack_y: float, shot: Shot) -> float:
    """The travel of a zoom that, half of it to each side, just shows the whole frame."""
    width, height = shot.width / shot.short_side, shot.height / shot.short_side
    return 2 * float(np.log(max(min(1 + slack_x / width, 1 + slack_y / height), 1)))


def _shrink(frame: Frame, short_side: int) -> Tensor:
    """(3, H, W) float32 in 0..1, its short side at most `short_side`."""
    pixels = torch.from_numpy(frame.rgb).permute(2, 0, 1).float() / 255
    rows, columns = pixels.shape[1:]
    factor = short_side / min(rows, columns)
    if factor >= 1:
        return pixels
    size = (round(rows * factor), round(columns * factor))
    return F.interpolate(pixels[None], size=size, mode="area")[0]
