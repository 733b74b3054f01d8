"""The sample videos: a dozen short films, one or two for each camera movement."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from hiera_cli.synth.camera import CameraPath, draw_wobble
from hiera_cli.synth.canvas import Canvas, Colour
from hiera_cli.synth.postcards import city, harbour, meadow, mountains, table
from hiera_cli.synth.scenes import Frames, Layer, Look, Scene, render
from hiera_cli.synth.textures import Rng
from hiera_cli.video.encode import h264, vp9, write_video

WIDTH, HEIGHT, FPS, NUM_FRAMES = 320, 240, 30, 90
SEED = 7
Curve = npt.NDArray[np.float64]
Travel = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Film:
    """What a sample video shows.

    Attributes:
        name: its file, in the folder of its class.
        place: paints the world.
        x, y, log_zoom, roll: where the camera starts and where it ends on each axis.
        tremor: root mean square of the hand's tremor, in short sides.
        actors: what moves in front of the world.
    """

    name: str
    place: Callable[[Rng], tuple[Layer, ...]]
    x: Travel = (0.0, 0.0)
    y: Travel = (0.0, 0.0)
    log_zoom: Travel = (0.0, 0.0)
    roll: Travel = (0.0, 0.0)
    tremor: float = 0.0
    actors: tuple[Callable[[Rng, Curve], Layer], ...] = ()


def film_samples(folder: Path) -> Iterator[Path]:
    """Render the sample videos into class folders; yields each file when it is there."""
    for film in FILMS:
        path = folder / film.name
        path.parent.mkdir(parents=True, exist_ok=True)
        encoding = vp9(crf=36) if path.suffix == ".webm" else h264(crf=25, preset="slow")
        write_video(path, shoot(film), fps=FPS, encoding=encoding)
        yield path


def shoot(film: Film) -> Frames:
    """The frames of one of the films, (T, H, W, 3) uint8; always the same ones."""
    rng = np.random.default_rng((SEED, FILMS.index(film)))
    return render(_scene(film, rng), WIDTH, HEIGHT, rng=rng)


def _scene(film: Film, rng: Rng) -> Scene:
    times = np.arange(NUM_FRAMES) / (NUM_FRAMES - 1)
    layers = film.place(rng) + tuple(actor(rng, times) for actor in film.actors)
    travels = (film.x, film.y, film.log_zoom, film.roll)
    x, y, log_zoom, roll = (first + (last - first) * _ease(times) for first, last in travels)
    if film.tremor:
        x, y, roll = (
            curve + film.tremor * draw_wobble(rng, times, lowest=3, highest=12)
            for curve in (x, y, roll)
        )
    path = CameraPath(x, y, log_zoom, roll)
    return Scene(layers, path, lens=3.0, look=Look(noise=0.006))


def _ease(times: Curve) -> Curve:
    """A gentle start and end around an even middle."""
    return np.asarray(0.6 * times + 0.4 * times**2 * (3 - 2 * times))


def _bird(rng: Rng, times: Curve) -> Layer:
    """A bird that glides across the sky."""
    canvas = Canvas(1.0, 1.0, resolution=64)
    dark: Colour = (0.16, 0.15, 0.2)
    for side in (-1, 1):
        canvas.ellipse(side * 0.2, -0.08, 0.2, 0.06, dark)
        canvas.ellipse(side * 0.36, -0.02, 0.1, 0.04, dark)
    canvas.ellipse(0, 0, 0.08, 0.13, dark)
    x, y = rng.uniform(-0.5, 0.2), rng.uniform(-0.4, -0.1)
    flight = rng.uniform(0.2, 0.5) * rng.choice((-1, 1))
    return _actor(
        canvas,
        size=float(rng.uniform(0.07, 0.11)),
        x=x + flight * times,
        y=y + 0.03 * np.sin(9 * times + rng.uniform(0, 6)),
        turn=0.25 * np.sin(14 * times + rng.uniform(0, 6)),
    )


def _sailboat(rng: Rng, times: Curve) -> Layer:
    """A boat that sails by, rocking a little."""
    canvas = Canvas(1.0, 1.0, resolution=192)
    canvas.triangle(0.1, -0.46, 0.2, 0.5, (0.97, 0.96, 0.92))
    canvas.triangle(-0.14, -0.36, 0.18, 0.34, (0.88, 0.30, 0.22))
    canvas.box(-0.015, -0.48, 0.015, 0.3, (0.3, 0.2, 0.14))
    canvas.triangle(0, 0.46, 0.22, 0.9, (0.35, 0.18, 0.13))
    canvas.ellipse(0, 0.34, 0.42, 0.03, (0.9, 0.95, 0.97))
    return _actor(
        canvas,
        size=0.38,
        x=rng.uniform(-0.55, -0.45) + 0.45 * times,
        y=0.28 + 0.008 * np.sin(11 * times),
        turn=0.05 * np.sin(8 * times),
    )


def _balloon(rng: Rng, times: Curve) -> Layer:
    """A hot-air balloon that drifts and rises."""
    canvas = Canvas(1.0, 1.0, resolution=160)
    for part, radius in enumerate((0.32, 0.22, 0.10)):
        tone: Colour = ((0.93, 0.30, 0.22), (0.99, 0.84, 0.35), (0.93, 0.30, 0.22))[part]
        canvas.ellipse(0, -0.12, radius, 0.34, tone)
    canvas.box(-0.1, 0.2, -0.09, 0.36, (0.3, 0.22, 0.15))
    canvas.box(0.09, 0.2, 0.1, 0.36, (0.3, 0.22, 0.15))
    canvas.box(-0.1, 0.34, 0.1, 0.46, (0.45, 0.3, 0.16))
    x, y = float(rng.uniform(-0.45, 0.3)), float(rng.uniform(-0.25, -0.1))
    return _actor(canvas, size=0.34, x=x + 0.12 * times, y=y - 0.08 * times, turn=0.0 * times)


def _actor(canvas: Canvas, *, size: float, x: Curve, y: Curve, turn: Curve) -> Layer:
    texture = torch.from_numpy(canvas.pixels).permute(2, 0, 1)[None].contiguous()
    return Layer(texture, size, mirrored=False, x=x, y=y, turn=turn)


FILMS = (
    Film("static/harbour.mp4", harbour, actors=(_sailboat, _bird, _bird)),
    Film("static/balloon.webm", meadow, actors=(_balloon,)),
    Film("pan_left/mountains.mp4", mountains, x=(0.8, -0.9), tremor=0.0015),
    Film("pan_right/city.mp4", city, x=(-0.9, 0.7), y=(0.15, 0.15)),
    Film("pan_right/harbour.webm", harbour, x=(-0.8, 0.9), y=(0.1, 0.1), actors=(_bird,)),
    Film("tilt_up/city.mp4", city, x=(-0.4, -0.4), y=(0.35, -0.55)),
    Film("tilt_down/mountains.mp4", mountains, x=(0.3, 0.3), y=(-0.6, 0.35), tremor=0.0015),
    Film("zoom_in/lighthouse.mp4", harbour, x=(-0.5, -0.5), y=(-0.05, -0.05), log_zoom=(0.0, 0.75)),
    Film("zoom_out/meadow.mp4", meadow, y=(0.15, 0.15), log_zoom=(0.6, -0.15), actors=(_balloon,)),
    Film("roll_clockwise/table.mp4", table, roll=(-0.5, 0.8)),
    Film("roll_counterclockwise/harbour.mp4", harbour, x=(-0.3, -0.3), roll=(0.4, -0.5)),
    Film("shake/table.webm", table, x=(-0.4, -0.4), tremor=0.02),
)
