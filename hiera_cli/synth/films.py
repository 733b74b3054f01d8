"""Films that string known camera movements together, in made-up places or in real footage."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hiera_cli.synth.camera import MOTIONS, CameraPath, draw_even_path
from hiera_cli.synth.footage import EXTENTS, LENS, Footage
from hiera_cli.synth.props import Props
from hiera_cli.synth.scenes import Layer, Scene, freeze, ground_detail, render
from hiera_cli.synth.staging import (
    MAX_DRAWS,
    MIN_DETAIL,
    WINDOW_SECONDS,
    Rng,
    Shot,
    stage,
    stage_plainly,
)

AXES = ("x", "y", "log_zoom", "roll")
TAKE_SECONDS = (3.0, 6.0)
ROOM = 0.5  # of the pans and tilts of made-up places, where a picture has edges
CHUNK = 60  # frames rendered at a time


@dataclass(frozen=True, slots=True)
class Take:
    """A movement and how long it lasts."""

    motion: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Interval:
    """A time in a film and the movement that the camera makes then."""

    start_seconds: float
    end_seconds: float
    motion: str


def draw_takes(rng: Rng, *, fps: float) -> tuple[Take, ...]:
    """All movements once, in random order, each for a random time of whole frames."""
    shortest, longest = (round(seconds * fps) for seconds in TAKE_SECONDS)
    frames = rng.integers(shortest, longest, len(MOTIONS))
    order = rng.permutation(MOTIONS)
    return tuple(Take(str(motion), n / fps) for motion, n in zip(order, frames, strict=True))


def intervals(takes: Sequence[Take]) -> tuple[Interval, ...]:
    """When each movement is made; takes of one kind in a row are one."""
    found: list[Interval] = []
    start = 0.0
    for take in takes:
        end = start + take.seconds
        if found and found[-1].motion == take.motion:
            found[-1] = replace(found[-1], end_seconds=end)
        else:
            found.append(Interval(start, end, take.motion))
        start = end
    return tuple(found)


def string_paths(takes: Sequence[Take], rng: Rng, *, fps: float, room: float = 1.0) -> CameraPath:
    """One path through all takes: even movements, each from where the one before ended.

    A movement is one of the camera, so a pan of a camera that is rolled or zoomed goes along the
    picture's own sides, at the picture's own pace.

    Args:
        takes: what the camera does.
        rng: source of all randomness.
        fps: instants a second.
        room: factor on pans and tilts, where the world is small.
    """
    curves: dict[str, list[npt.NDArray[np.float64]]] = {axis: [] for axis in AXES}
    place = dict.fromkeys(AXES, 0.0)
    for take in takes:
        times = np.arange(round(take.seconds * fps) + 1) / fps / WINDOW_SECONDS
        path = draw_even_path(take.motion, rng, times)
        moved = {axis: getattr(path, axis) - getattr(path, axis)[0] for axis in AXES}
        pace = np.exp(-place["log_zoom"]) * (1.0 if take.motion == "shake" else room)
        across, down, roll = pace * moved["x"], pace * moved["y"], place["roll"]
        moved["x"] = np.cos(roll) * across - np.sin(roll) * down
        moved["y"] = np.sin(roll) * across + np.cos(roll) * down
        for axis in AXES:
            curves[axis].append(place[axis] + moved[axis][:-1])
            if take.motion != "shake":
                place[axis] += float(moved[axis][-1])
    return CameraPath(**{axis: np.concatenate(parts) for axis, parts in curves.items()})


def stage_film(takes: Sequence[Take], rng: Rng, props: Props, shot: Shot, *, plain: bool) -> Scene:
    """The takes in a made-up place in which nothing else moves."""
    first, place = replace(shot, num_frames=1), stage_plainly if plain else stage
    for _ in range(MAX_DRAWS):
        scene = freeze(place("static", rng, props, first), 0)
        scene = replace(scene, path=string_paths(takes, rng, fps=shot.fps), shutter_samples=1)
        if _least_detail(scene, shot) >= MIN_DETAIL:
            break
    return scene


def stage_real_film(takes: Sequence[Take], rng: Rng, footage: Footage, shot: Shot) -> Scene:
    """The takes in real footage that fills the view and more; beyond its edges it is mirrored."""
    rows, columns = footage.frames.shape[-2:]
    for _ in range(MAX_DRAWS):
        extent = rng.uniform(np.mean(EXTENTS), EXTENTS[1]) * max(rows / columns, 1)
        path = _centered(string_paths(takes, rng, fps=shot.fps, room=ROOM))
        scene = Scene((Layer(footage.frames, extent),), path, lens=LENS)
        if _least_detail(scene, shot) >= MIN_DETAIL:
            break
    return scene


def _centered(path: CameraPath) -> CameraPath:
    """The path moved so that it stays around the middle of a picture."""
    x, y = (curve - (curve.max() + curve.min()) / 2 for curve in (path.x, path.y))
    return replace(path, x=x, y=y, log_zoom=path.log_zoom - path.log_zoom.mean())


def _least_detail(scene: Scene, shot: Shot) -> float:
    """How well the ground shows what the camera does, in the worst second."""
    ground, *others = scene.layers
    layers = (replace(ground, texture=ground.texture[:1]), *others)
    starts = range(0, len(scene.path), round(shot.fps))
    instants = (replace(scene, layers=layers, path=_part(scene.path, k, 1)) for k in starts)
    return min(ground_detail(scene, shot.width, shot.height) for scene in instants)


def film_frames(scene: Scene, shot: Shot, *, rng: Rng) -> Iterator[npt.NDArray[np.uint8]]:
    """The frames (H, W, 3) of a scene, rendered some at a time.

    A first layer of many pictures plays forwards and backwards for as long as the path lasts.
    """
    ground, *others = scene.layers
    for first in range(0, len(scene.path), CHUNK):
        path = _part(scene.path, first, CHUNK)
        playing = replace(ground, texture=_to_and_fro(ground.texture, first, len(path)))
        chunk = replace(scene, layers=(playing, *others), path=path)
        yield from render(chunk, shot.width, shot.height, rng=rng)


def _part(path: CameraPath, first: int, num: int) -> CameraPath:
    return CameraPath(*(getattr(path, axis)[first : first + num] for axis in AXES))


def _to_and_fro(texture: Tensor, first: int, num: int) -> Tensor:
    """`num` pictures of (N, 3, H, W) from instant `first` on: 0, 1, ... N-1, N-2, ... 0, 1, ..."""
    if len(texture) == 1:
        return texture
    last = len(texture) - 1
    phase = torch.arange(first, first + num) % (2 * last)
    return texture[torch.minimum(phase, 2 * last - phase)]
