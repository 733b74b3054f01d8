"""Rendered films that string known camera movements together, and what is true of each second."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hiera_cli.synth.camera import CameraPath, draw_even_path
from hiera_cli.synth.props import Props
from hiera_cli.synth.scenes import Layer, Scene, render
from hiera_cli.synth.staging import WINDOW_SECONDS, Shot, stage_plainly
from hiera_cli.video.encode import h264, write_video

AXES = ("x", "y", "log_zoom", "roll")
CHUNK = 60


@dataclass(frozen=True)
class Take:
    """A movement and how long it lasts."""

    motion: str
    seconds: float


def true_segments(takes: Sequence[Take]) -> list[tuple[float, float, str]]:
    """(start, end, label) of every take, takes of one kind in a row merged."""
    found: list[tuple[float, float, str]] = []
    start = 0.0
    for take in takes:
        end = start + take.seconds
        if found and found[-1][2] == take.motion:
            found[-1] = (found[-1][0], end, take.motion)
        else:
            found.append((start, end, take.motion))
        start = end
    return found


def strung_path(takes: Sequence[Take], rng: np.random.Generator, fps: float) -> CameraPath:
    """One camera path through all takes; each begins where the one before ended.

    A movement is one of the camera, so a pan of a camera that is rolled or zoomed goes along the
    picture's own sides, at the picture's own pace.
    """
    curves: dict[str, list[npt.NDArray[np.float64]]] = {axis: [] for axis in AXES}
    place = dict.fromkeys(AXES, 0.0)
    for take in takes:
        times = np.arange(round(take.seconds * fps) + 1) / fps / WINDOW_SECONDS
        path = draw_even_path(take.motion, rng, times)
        moved = {axis: getattr(path, axis) - getattr(path, axis)[0] for axis in AXES}
        across, down, roll = moved["x"], moved["y"], place["roll"]
        pace = np.exp(-place["log_zoom"])
        moved["x"] = pace * (np.cos(roll) * across - np.sin(roll) * down)
        moved["y"] = pace * (np.sin(roll) * across + np.cos(roll) * down)
        for axis in AXES:
            curves[axis].append(place[axis] + moved[axis][:-1])
            if take.motion != "shake":
                place[axis] += float(moved[axis][-1])
    return CameraPath(**{axis: np.concatenate(parts) for axis, parts in curves.items()})


def film_frames(
    layers: tuple[Layer, ...], path: CameraPath, shot: Shot, *, lens: float = 4.0
) -> Iterator[npt.NDArray[np.uint8]]:
    """The frames of a still world along a path, rendered some at a time."""
    rng = np.random.default_rng(0)
    for first in range(0, len(path), CHUNK):
        part = CameraPath(*(getattr(path, axis)[first : first + CHUNK] for axis in AXES))
        yield from render(Scene(layers, part, lens=lens), shot.width, shot.height, rng=rng)


def plain_world(rng: np.random.Generator, shot: Shot) -> tuple[Layer, ...]:
    return stage_plainly("static", rng, Props(rng), shot).layers


def film(
    path: Path,
    takes: Sequence[Take],
    *,
    seed: int = 0,
    fps: float = 15,
    size: tuple[int, int] = (160, 120),
) -> Path:
    """Write a film of the takes over a patterned ground."""
    rng = np.random.default_rng(seed)
    shot = Shot(fps=fps, width=size[0], height=size[1])
    frames = film_frames(plain_world(rng, shot), strung_path(takes, rng, fps), shot)
    write_video(path, frames, fps=fps, encoding=h264(crf=23, preset="veryfast"))
    return path
