"""Scenes in which figures walk, wave, jump and fall before a moving camera, and where they are.

What the figures do, where, and what the camera does are drawn apart from each other: neither the
place nor the camera tells the action.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hiera_cli.synth.camera import draw_path
from hiera_cli.synth.figure import Clothes, Pose, draw_clothes, paint
from hiera_cli.synth.props import WORLD_SIZE, Props
from hiera_cli.synth.scenes import Layer, Scene, coverage
from hiera_cli.synth.staging import Shot, draw_look

Rng = np.random.Generator
Curve = npt.NDArray[np.float64]
Boxes = npt.NDArray[np.float64]
Masks = npt.NDArray[np.bool_]

ACTIONS = ("walk left", "walk right", "wave", "jump", "fall")
CAMERA = ("static", "pan left", "pan right", "tilt up", "tilt down", "zoom in", "zoom out", "shake")
CAMERA_TRAVEL = 0.4  # short sides at most: nobody is lost
MAX_ACTORS = 3
SEEN = 0.5  # a pixel of which this much is covered belongs to a figure
MIN_SHARE = 0.3  # of the largest box that must be in the picture where the edge cuts it


@dataclass(frozen=True, eq=False, slots=True)
class Actor:
    """A figure and what it does.

    Attributes:
        action: index into ACTIONS.
        layer: of the scene.
    """

    action: int
    layer: Layer


@dataclass(frozen=True, eq=False, slots=True)
class Play:
    """A scene with actors."""

    scene: Scene
    actors: tuple[Actor, ...]


def stage_play(rng: Rng, props: Props, shot: Shot) -> Play:
    """A random place with one to three figures, each at one action all the time."""
    times = np.arange(shot.num_frames) / max(shot.num_frames - 1, 1)
    seconds = np.arange(shot.num_frames) / shot.fps
    extent = WORLD_SIZE / (shot.short_side * rng.uniform(0.8, 1.6))
    ground = Layer(props.pick("world", rng), extent)
    num = int(rng.integers(1, MAX_ACTORS + 1))
    slots = (np.arange(num) + 0.5) / num - 0.5 + rng.uniform(-0.05, 0.05, num)
    wide = shot.width / shot.short_side
    actors = tuple(
        _actor(rng, seconds, place=slot * wide * 0.9, crowd=num) for slot in rng.permutation(slots)
    )
    path = draw_path(str(rng.choice(CAMERA)), rng, times, limit=CAMERA_TRAVEL)
    layers = (ground, *(actor.layer for actor in actors))
    look = replace(draw_look(rng, props, shot), bar_rows=0.0, bar_columns=0.0, badge=None)
    return Play(Scene(layers, path, lens=6.0, look=look), actors)


def masks_of(play: Play, actor: Actor, shot: Shot) -> Masks:
    """The actor's pixels in each frame, those behind others too: (T, height, width)."""
    covered: Masks = (coverage(play.scene, actor.layer, shot.width, shot.height) > SEEN).numpy()
    return covered


def visible(masks: Sequence[Masks]) -> list[Masks]:
    """What is seen of each actor, where later ones stand before earlier ones."""
    seen = []
    for number, mask in enumerate(masks):
        before = np.zeros_like(mask)
        for other in masks[number + 1 :]:
            before |= other
        seen.append(mask & ~before)
    return seen


def boxes_of(masks: Masks, shot: Shot) -> Boxes:
    """An actor's box in each frame, (T, 4) in pixels; NaN where too little of it is seen."""
    boxes = np.full((shot.num_frames, 4), np.nan)
    for frame, mask in enumerate(masks):
        columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
        if len(columns):
            boxes[frame] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    cut = (boxes[:, :2] <= 0).any(1) | (boxes[:, 2:] >= (shot.width, shot.height)).any(1)
    if np.isfinite(areas).any():
        boxes[cut & (areas < MIN_SHARE * np.nanmax(areas))] = np.nan
    return boxes


def _actor(rng: Rng, seconds: Curve, *, place: float, crowd: int) -> Actor:
    """A figure at a random action, which begins anywhere in its cycle."""
    action = int(rng.integers(len(ACTIONS)))
    size = float(rng.uniform(0.5, 0.8)) / (1 + 0.15 * (crowd - 1))
    phase = float(rng.uniform(0, 2 * np.pi))
    rate = float(rng.uniform(0.7, 1.1))
    clothes = draw_clothes(rng)
    level = float(rng.uniform(-0.1, 0.2))
    act = (_walk_left, _walk_right, _wave, _jump, _fall)[action]
    acted = act(seconds, size, rate, phase)
    layer = Layer(
        _frames(acted.poses, clothes),
        size,
        mirrored=False,
        x=place + acted.x,
        y=level + acted.y,
        turn=acted.turn,
    )
    return Actor(action, layer)


@dataclass(frozen=True, eq=False, slots=True)
class _Act:
    """Poses of all frames, and how the figure moves (short sides) and turns (radians)."""

    poses: list[Pose]
    x: Curve
    y: Curve
    turn: Curve


def _frames(poses: list[Pose], clothes: Clothes) -> Tensor:
    return torch.from_numpy(np.stack([paint(pose, clothes) for pose in poses]))


def _walk(seconds: Curve, size: float, rate: float, phase: float, sign: int) -> _Act:
    swing = 0.55 * np.sin(2 * np.pi * 1.3 * rate * seconds + phase)
    poses = [
        Pose(-0.8 * s, 0.8 * s, 0.3 * sign, 0.3 * sign, s, -s,
             -sign * max(0.0, -sign * s), -sign * max(0.0, sign * s))
        for s in swing.tolist()
    ]  # fmt: skip
    path = sign * 0.35 * size * rate * (seconds - seconds.mean())
    return _Act(poses, path, np.zeros(1), np.zeros(1))


def _walk_left(seconds: Curve, size: float, rate: float, phase: float) -> _Act:
    return _walk(seconds, size, rate, phase, -1)


def _walk_right(seconds: Curve, size: float, rate: float, phase: float) -> _Act:
    return _walk(seconds, size, rate, phase, 1)


def _wave(seconds: Curve, _size: float, rate: float, phase: float) -> _Act:
    swing = 0.6 * np.sin(2 * np.pi * 1.4 * rate * seconds + phase)
    still = np.zeros(1)
    if phase < np.pi:
        poses = [Pose(right_arm=2.2, right_elbow=0.6 + s) for s in swing.tolist()]
    else:
        poses = [Pose(left_arm=-2.2, left_elbow=-0.6 + s) for s in swing.tolist()]
    return _Act(poses, still, still, still)


def _jump(seconds: Curve, size: float, rate: float, phase: float) -> _Act:
    """Hops, a parabola each, between which the knees bend."""
    cycle = (1.1 * rate * seconds + phase / (2 * np.pi)) % 1
    flying = np.clip(cycle / 0.6, 0, 1)
    height = 4 * flying * (1 - flying)
    crouch = np.where(cycle > 0.6, np.sin(np.pi * (cycle - 0.6) / 0.4), 0)
    poses = [
        Pose(-0.3 - 1.2 * h, 0.3 + 1.2 * h, 0, 0, -0.15 - 0.6 * c, 0.15 + 0.6 * c,
             1.2 * c, -1.2 * c)
        for h, c in zip(height.tolist(), crouch.tolist(), strict=True)
    ]  # fmt: skip
    return _Act(poses, np.zeros(1), size * (0.08 * crouch - 0.2 * height), np.zeros(1))


def _fall(seconds: Curve, size: float, rate: float, phase: float) -> _Act:
    """Tips over quickly, lies, gets up slowly, stands: over and over."""
    cycle = (0.5 * rate * seconds + phase / (2 * np.pi)) % 1
    down = np.interp(cycle, (0, 0.15, 0.3, 0.5, 0.8, 1), (0, 0, 1, 1, 0, 0)) ** 1.5
    sign = 1 if phase < np.pi else -1
    poses = [Pose(-0.15 - 1.0 * d, 0.15 + 1.0 * d) for d in down.tolist()]
    return _Act(poses, np.zeros(1), 0.32 * size * down, sign * np.pi / 2 * down)
