"""Random scenes for each camera movement: what the camera-motion model learns from.

The world, the things in it and the look of the picture are drawn without regard to the
movement, so that only the movement can tell the classes apart.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from hiera_cli.synth.camera import draw_even_path, draw_path, draw_progress
from hiera_cli.synth.movers import draw_movers
from hiera_cli.synth.props import WORLD_SIZE, Props
from hiera_cli.synth.scenes import Layer, Look, Scene, ground_detail

Rng = np.random.Generator
Curve = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shot:
    """Size and timing of a clip to stage.

    Attributes:
        num_frames: T.
        fps: frames per second.
        width, height: of the picture in pixels.
    """

    num_frames: int = 16
    fps: float = 7.5
    width: int = 120
    height: int = 80

    @property
    def short_side(self) -> int:
        """The smaller of width and height, in pixels."""
        return min(self.width, self.height)


WINDOW_SECONDS = 64 / 30
MIN_DETAIL = 0.005  # of 1: a good gray level of 256
MAX_DRAWS = 20


def stage(motion: str, rng: Rng, props: Props, shot: Shot) -> Scene:
    """A random scene filmed with a random movement of the given kind.

    Nobody can tell how a camera moves over an even or a hidden ground: such scenes, one in nine,
    are drawn again.
    """
    for _ in range(MAX_DRAWS):
        scene = _draw_scene(motion, rng, props, shot)
        if ground_detail(scene, shot.width, shot.height) >= MIN_DETAIL:
            break
    return scene


def _draw_scene(motion: str, rng: Rng, props: Props, shot: Shot) -> Scene:
    shutter_samples = 3 if rng.random() < 0.15 else 1
    times = _instants(rng, shot, shutter_samples)
    path = draw_path(motion, rng, times)
    tilt = float(np.abs(path.y).max())
    lens = max(float(np.exp(rng.uniform(np.log(0.9), np.log(8)))), 1.4 * tilt)
    off_axis = rng.random() < 0.35
    return Scene(
        layers=_layers(rng, props, shot, times),
        path=path,
        lens=lens,
        axis_x=float(rng.uniform(-0.3, 0.3)) if off_axis else 0.0,
        axis_y=float(rng.uniform(-0.15, 0.15)) if off_axis else 0.0,
        look=draw_look(rng, props, shot),
        shutter_samples=shutter_samples,
    )


def stage_plainly(motion: str, rng: Rng, props: Props, shot: Shot) -> Scene:
    """A finely patterned ground in a clean picture, filmed with an even movement."""
    times = np.arange(shot.num_frames) / shot.fps / WINDOW_SECONDS
    extent = WORLD_SIZE / (shot.short_side * rng.uniform(0.6, 1.5))
    ground = _tiled(props.pick("carpet", rng), rng, extent=extent)
    return Scene((ground,), draw_even_path(motion, rng, times))


def _instants(rng: Rng, shot: Shot, shutter_samples: int) -> Curve:
    """Instants in windows, `shutter_samples` a frame; some clips repeat frames or end early."""
    frames = np.arange(shot.num_frames) / shot.fps
    if rng.random() < 0.15:
        source_fps = rng.uniform(0.7, 1.0) * shot.fps
        frames = np.floor(frames * source_fps + 1e-6) / source_fps
    if rng.random() < 0.08:
        frames = np.minimum(frames, rng.uniform(0.6, 1) * frames[-1])
    opening = rng.uniform(0.2, 0.6) / shot.fps
    shutter = np.linspace(0, opening, shutter_samples)
    return np.asarray((frames[:, None] + shutter).ravel() / WINDOW_SECONDS)


def _layers(rng: Rng, props: Props, shot: Shot, times: Curve) -> tuple[Layer, ...]:
    texels = WORLD_SIZE / (shot.short_side * rng.uniform(0.6, 1.5))
    world = props.pick("world", rng)
    layers = [_tiled(world, rng, extent=texels)]
    layers += draw_movers(rng, props, times)
    if rng.random() < 0.2:
        layers.append(
            _tiled(props.pick("screen", rng), rng, extent=texels, nearness=rng.uniform(0.1, 0.9))
        )
    return tuple(layers)


def _tiled(texture: Tensor, rng: Rng, *, extent: float, nearness: float = 0.0) -> Layer:
    """A layer that fills the world, looked at somewhere."""
    shift = rng.uniform(-0.5, 0.5, 2) * extent
    turn = rng.normal(0, 0.06) if rng.random() < 0.7 else rng.uniform(-np.pi, np.pi)
    return Layer(texture, extent, nearness, x=shift[:1], y=shift[1:], turn=np.array([turn]))


def draw_look(rng: Rng, props: Props, shot: Shot) -> Look:
    """What lens, sensor and editing do to a picture; often nothing."""
    boxed = rng.random()
    return Look(
        exposure=_draw_exposure(rng, shot),
        noise=float(rng.uniform(0, 0.06)) if rng.random() < 0.4 else 0.0,
        blur=float(rng.uniform(0.4, 1.3)) * shot.short_side / 72 if rng.random() < 0.3 else 0.0,
        bar_rows=float(rng.uniform(0.05, 0.16)) if boxed < 0.08 else 0.0,
        bar_columns=float(rng.uniform(0.08, 0.22)) if boxed > 0.95 else 0.0,
        badge=_draw_badge(rng, props, shot) if rng.random() < 0.08 else None,
        haze=float(rng.uniform(0, 0.45)) if rng.random() < 0.2 else 0.0,
    )


def _draw_exposure(rng: Rng, shot: Shot) -> Curve:
    """Steady, drifting, or flickering light, a factor for each frame."""
    times = np.arange(shot.num_frames) / shot.fps / WINDOW_SECONDS
    exposure = np.full(shot.num_frames, np.exp(rng.normal(0, 0.15)))
    if rng.random() < 0.25:
        exposure *= np.exp(rng.normal(0, 0.5) * (draw_progress(rng, times) - 0.5))
    if rng.random() < 0.15:
        exposure *= 1 + rng.uniform(0.01, 0.12) * rng.standard_normal(shot.num_frames)
    return np.asarray(exposure.clip(0.1))


def _draw_badge(rng: Rng, props: Props, shot: Shot) -> Tensor:
    """A small emblem in a corner of an otherwise clear picture (4, H, W)."""
    size = round(shot.short_side * rng.uniform(0.12, 0.3))
    emblem = F.interpolate(props.pick("sprite", rng), size=(size, size), mode="area")[0]
    badge = torch.zeros(4, shot.height, shot.width)
    margin = round(shot.short_side * rng.uniform(0.05, 0.15))
    top = margin if rng.random() < 0.5 else shot.height - margin - size
    left = margin if rng.random() < 0.5 else shot.width - margin - size
    badge[:, top : top + size, left : left + size] = emblem
    return badge
