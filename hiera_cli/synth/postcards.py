"""Places that are pleasant to look at: the worlds of the sample videos, painted by hand and dice.

Each painter returns layers from back to front; heights and widths are in short sides of the
picture. The worlds are wide enough for a camera to look around in.
"""

import numpy as np
import torch

from hiera_cli.synth.canvas import Canvas, Colour
from hiera_cli.synth.scenes import Layer
from hiera_cli.synth.textures import Image, Rng, fractal_noise

WIDTH, HEIGHT = 4.4, 2.6


def mountains(rng: Rng) -> tuple[Layer, ...]:
    """Ridges in the haze of an evening, fir trees in front."""
    sky = Canvas(WIDTH, HEIGHT)
    sky.wash((0.16, 0.22, 0.42), (0.99, 0.74, 0.50), start=-1.2, end=0.25)
    sky.ellipse(0.35, -0.12, 0.5, 0.5, (1.0, 0.82, 0.58), soft=1.0)
    sky.ellipse(0.35, -0.12, 0.13, 0.13, (1.0, 0.95, 0.80))
    _add_clouds(sky, rng, num=26, colour=(0.98, 0.66, 0.56), top=-1.1, bottom=-0.2)
    tones = ((0.56, 0.47, 0.58), (0.42, 0.37, 0.52), (0.28, 0.28, 0.42))
    for depth, tone in enumerate(tones):
        ridge = sky.skyline(rng, level=0.0 + 0.17 * depth, swing=0.22, roughness=0.55, waves=1.3)
        sky.below(ridge, tone, foot=(0.75, 0.58, 0.56))
    sky.grain(fractal_noise(rng, 512, roughness=0.8), strength=0.10)
    front = Canvas(WIDTH, HEIGHT)
    hill = front.skyline(rng, level=0.62, swing=0.16, roughness=0.4)
    front.below(hill, (0.10, 0.15, 0.20), foot=(0.16, 0.22, 0.20))
    for x in np.sort(rng.uniform(-2.2, 2.2, 60)):
        _add_fir(front, rng, float(x), float(hill[front.columns_at(x)]) + 0.04)
    front.grain(fractal_noise(rng, 512, roughness=0.9), strength=0.5)
    return _as_layer(sky), _as_layer(front, nearness=0.12)


def city(rng: Rng) -> tuple[Layer, ...]:
    """A town at nightfall with lit windows."""
    sky = Canvas(WIDTH, HEIGHT)
    sky.wash((0.04, 0.06, 0.20), (0.60, 0.36, 0.44), start=-1.2, end=0.6)
    for x, y in rng.uniform((-2.2, -1.3), (2.2, 0.0), (160, 2)):
        size = float(rng.uniform(0.003, 0.008))
        sky.ellipse(float(x), float(y), size, size, (0.95, 0.95, 0.85))
    sky.ellipse(-0.45, -0.42, 0.3, 0.3, (0.55, 0.5, 0.6), soft=1.0)
    sky.ellipse(-0.45, -0.42, 0.11, 0.11, (0.98, 0.96, 0.86))
    _add_clouds(sky, rng, num=12, colour=(0.42, 0.30, 0.45), top=-0.9, bottom=0.0)
    _add_houses(sky, rng, tallest=0.9, wall=(0.24, 0.20, 0.36))
    _add_houses(sky, rng, tallest=0.6, wall=(0.15, 0.13, 0.26))
    sky.grain(fractal_noise(rng, 512, roughness=0.8), strength=0.12)
    front = Canvas(WIDTH, HEIGHT)
    _add_houses(front, rng, tallest=0.28, wall=(0.07, 0.07, 0.15))
    front.box(-3, 0.86, 3, 3, (0.09, 0.09, 0.13))
    for x in np.arange(-2.1, 2.2, 0.42):
        front.box(x - 0.008, 0.45, x + 0.008, 0.9, (0.05, 0.05, 0.08))
        front.ellipse(float(x), 0.45, 0.1, 0.1, (0.95, 0.80, 0.45), soft=1.0)
        front.ellipse(float(x), 0.45, 0.022, 0.022, (1.0, 0.97, 0.80))
    return _as_layer(sky), _as_layer(front, nearness=0.1)


def meadow(rng: Rng) -> tuple[Layer, ...]:
    """Hills, trees and flowers under summer clouds."""
    land = Canvas(WIDTH, HEIGHT)
    land.wash((0.30, 0.58, 0.90), (0.85, 0.94, 0.98), start=-1.2, end=0.2)
    _add_clouds(land, rng, num=34, colour=(1.0, 1.0, 1.0), top=-1.2, bottom=-0.15)
    greens = ((0.50, 0.68, 0.55), (0.42, 0.66, 0.36), (0.36, 0.60, 0.24))
    for depth, tone in enumerate(greens):
        hill = land.skyline(rng, level=0.08 + 0.17 * depth, swing=0.14, roughness=0.35)
        land.below(hill, tone, foot=(0.62, 0.76, 0.32))
        for x in rng.uniform(-2.2, 2.2, 14):
            size = (0.05 + 0.045 * depth) * float(rng.uniform(0.7, 1.3))
            _add_tree(land, rng, float(x), float(hill[land.columns_at(x)]) + 0.02, size)
    _add_flowers(land, rng, num=900, top=0.48)
    land.grain(fractal_noise(rng, 512, roughness=0.85), strength=0.22)
    return (_as_layer(land),)


def harbour(rng: Rng) -> tuple[Layer, ...]:
    """Sea, sails and a lighthouse."""
    sea = Canvas(WIDTH, HEIGHT)
    sea.wash((0.35, 0.62, 0.82), (0.96, 0.92, 0.82), start=-1.2, end=0.1)
    _add_clouds(sea, rng, num=24, colour=(1.0, 0.98, 0.95), top=-1.1, bottom=-0.15)
    coast = sea.skyline(rng, level=0.06, swing=0.09, roughness=0.5)
    sea.below(coast, (0.46, 0.58, 0.56))
    sea.box(-3, 0.14, 3, 3, (0.13, 0.42, 0.55))
    for y in np.sort(rng.uniform(0.15, 1.3, 700)):
        length, x = 0.03 + 0.12 * (y - 0.1) * rng.random(), float(rng.uniform(-2.2, 2.2))
        light = float(rng.uniform(0.0, 0.35))
        tone = (0.16 + light, 0.45 + light, 0.58 + light)
        sea.ellipse(x, float(y), length, 0.004 + 0.008 * (y - 0.1), tone)
    for x, y in rng.uniform((-2.1, 0.2), (2.1, 0.75), (16, 2))[np.newaxis].reshape(-1, 2):
        _add_boat(sea, rng, float(x), float(y), size=0.08 + 0.2 * float(y - 0.1))
    _add_lighthouse(sea, x=-0.55, foot=0.2)
    sea.grain(fractal_noise(rng, 512, roughness=0.8), strength=0.10)
    return (_as_layer(sea),)


def table(rng: Rng) -> tuple[Layer, ...]:
    """A table seen from above: cloth, plates, fruit and leaves."""
    top = Canvas(WIDTH, HEIGHT)
    top.wash((0.62, 0.43, 0.28), (0.52, 0.34, 0.21), start=-1.3, end=1.3)
    for x in np.arange(-2.2, 2.3, 0.31):
        shade = float(rng.uniform(-0.06, 0.06))
        top.box(x, -2, x + 0.3, 2, (0.58 + shade, 0.40 + shade, 0.26 + shade))
    top.grain(_boards(rng), strength=0.5)
    for x in np.arange(-1.2, 1.25, 0.16):
        top.box(x, -0.5, x + 0.08, 0.5, (0.90, 0.88, 0.82))
        top.box(x + 0.08, -0.5, x + 0.16, 0.5, (0.72, 0.24, 0.24))
    fruits: tuple[Colour, ...] = (
        (0.85, 0.2, 0.15),
        (0.95, 0.62, 0.1),
        (0.55, 0.72, 0.2),
        (0.42, 0.2, 0.45),
    )
    for x, y in ((-0.75, -0.1), (0.05, 0.05), (0.8, -0.05), (-1.6, 0.55), (1.6, -0.6)):
        _add_plate(top, rng, x, y, fruits)
    for x, y in rng.uniform((-2.1, -1.2), (2.1, 1.2), (70, 2)):
        size = float(rng.uniform(0.02, 0.05))
        top.ellipse(float(x) + 0.01, float(y) + 0.012, size, size * 0.6, (0.25, 0.16, 0.1))
        top.ellipse(float(x), float(y), size, size * 0.6, fruits[rng.integers(4)])
    top.grain(fractal_noise(rng, 512, roughness=0.85), strength=0.15)
    return (_as_layer(top),)


def _as_layer(canvas: Canvas, *, nearness: float = 0.0) -> Layer:
    pixels = torch.from_numpy(canvas.pixels).permute(2, 0, 1)[None]
    opaque = bool((canvas.pixels[..., 3] == 1).all())
    texture = pixels[:, :3] if opaque else pixels
    return Layer(texture.contiguous(), canvas.height, nearness)


def _boards(rng: Rng) -> Image:
    """Wood grain: noise drawn out lengthwise."""
    noise = fractal_noise(rng, 1024, roughness=0.8)
    return np.ascontiguousarray(np.repeat(noise[:64], 16, axis=0))


def _add_clouds(
    canvas: Canvas, rng: Rng, *, num: int, colour: Colour, top: float, bottom: float
) -> None:
    for x, y in rng.uniform((-2.2, top), (2.2, bottom), (num, 2)):
        size = float(rng.uniform(0.04, 0.10))
        for _ in range(9):
            dx, dy = rng.normal(0, 1.4) * size, rng.normal(0, 0.25) * size
            rx = size * float(rng.uniform(0.5, 1.1))
            shade = float(rng.uniform(0.92, 1.0))
            tone = (colour[0] * shade, colour[1] * shade, colour[2])
            canvas.ellipse(float(x + dx), float(y + dy), rx, rx * 0.55, tone, soft=0.35)


def _add_fir(canvas: Canvas, rng: Rng, x: float, foot: float) -> None:
    size = float(rng.uniform(0.10, 0.26))
    shade = float(rng.uniform(0.7, 1.4))
    tone = (0.06 * shade, 0.12 * shade, 0.13 * shade)
    canvas.box(x - 0.01, foot - size * 0.2, x + 0.01, foot, (0.08, 0.06, 0.06))
    for part in range(3):
        top = foot - size * (1 - 0.22 * part)
        canvas.triangle(x, top, top + size * 0.45, size * (0.3 + 0.13 * part), tone)


def _add_tree(canvas: Canvas, rng: Rng, x: float, foot: float, size: float) -> None:
    canvas.box(x - size * 0.07, foot - size, x + size * 0.07, foot, (0.32, 0.22, 0.14))
    for _ in range(14):
        dx, dy = rng.normal(0, 0.32, 2) * size
        light = float(rng.uniform(0.6, 1.15))
        tone = (0.20 * light, 0.46 * light, 0.18 * light)
        radius = size * float(rng.uniform(0.18, 0.4))
        canvas.ellipse(x + float(dx), foot - size * 1.15 + float(dy), radius, radius, tone)


def _add_flowers(canvas: Canvas, rng: Rng, *, num: int, top: float) -> None:
    tones: tuple[Colour, ...] = (
        (0.95, 0.25, 0.25),
        (0.98, 0.85, 0.2),
        (0.98, 0.98, 0.98),
        (0.65, 0.35, 0.85),
    )
    for y in np.sort(rng.uniform(top, 1.3, num)):
        x, near = float(rng.uniform(-2.2, 2.2)), float(y - top)
        size = 0.005 + 0.014 * near
        canvas.box(x - 0.002, y, x + 0.002, y + size * 3, (0.20, 0.42, 0.12))
        canvas.ellipse(x, float(y), size, size, tones[rng.integers(4)])
        canvas.ellipse(x, float(y), size * 0.35, size * 0.35, (0.45, 0.28, 0.1))


def _add_houses(canvas: Canvas, rng: Rng, *, tallest: float, wall: Colour) -> None:
    x = -2.3
    while x < 2.3:
        width = float(rng.uniform(0.12, 0.3))
        top = 0.75 - tallest * float(rng.uniform(0.45, 1.0))
        shade = float(rng.uniform(0.8, 1.25))
        canvas.box(x, top, x + width, 3, (wall[0] * shade, wall[1] * shade, wall[2] * shade))
        for row in np.arange(top + 0.03, 1.0, 0.055):
            for column in np.arange(x + 0.02, x + width - 0.03, 0.045):
                lit = rng.random() < 0.4
                glow = float(rng.uniform(0.7, 1.0))
                pane = (
                    (0.98 * glow, 0.80 * glow, 0.42 * glow)
                    if lit
                    else (wall[0] * 0.5, wall[1] * 0.5, wall[2] * 0.7)
                )
                canvas.box(column, row, column + 0.024, row + 0.032, pane)
        x += width + float(rng.choice((0.0, 0.0, 0.05)))


def _add_boat(canvas: Canvas, rng: Rng, x: float, y: float, *, size: float) -> None:
    sail: Colour = ((0.97, 0.97, 0.94), (0.90, 0.35, 0.25), (0.98, 0.80, 0.35))[rng.integers(3)]
    canvas.triangle(x - size * 0.02, y - size * 1.1, y - size * 0.15, size * 0.8, sail)
    canvas.box(x - size * 0.015, y - size * 1.15, x + size * 0.015, y, (0.25, 0.18, 0.12))
    canvas.triangle(x, y + size * 0.3, y - size * 0.1, size * 1.3, (0.45, 0.22, 0.15))
    canvas.ellipse(x, y + size * 0.12, size * 0.55, size * 0.05, (0.85, 0.92, 0.95), soft=0.5)


def _add_lighthouse(canvas: Canvas, *, x: float, foot: float) -> None:
    canvas.ellipse(x, foot + 0.04, 0.32, 0.09, (0.35, 0.33, 0.32))
    for part in range(6):
        tone = (0.95, 0.94, 0.92) if part % 2 else (0.80, 0.20, 0.18)
        top = foot - 0.6 + 0.1 * part
        half = 0.05 + 0.006 * part
        canvas.box(x - half, top, x + half, top + 0.1, tone)
    canvas.box(x - 0.07, foot - 0.63, x + 0.07, foot - 0.6, (0.2, 0.2, 0.22))
    canvas.box(x - 0.035, foot - 0.72, x + 0.035, foot - 0.63, (1.0, 0.92, 0.6))
    canvas.triangle(x, foot - 0.8, foot - 0.72, 0.11, (0.75, 0.18, 0.16))


def _add_plate(canvas: Canvas, rng: Rng, x: float, y: float, fruits: tuple[Colour, ...]) -> None:
    canvas.ellipse(x + 0.02, y + 0.03, 0.31, 0.31, (0.28, 0.18, 0.14))
    for radius, gray in ((0.3, 0.93), (0.25, 0.80), (0.24, 0.97)):
        canvas.ellipse(x, y, radius, radius, (gray, gray, gray))
    for _ in range(5):
        dx, dy = rng.normal(0, 0.09, 2).clip(-0.14, 0.14)
        size, tone = float(rng.uniform(0.05, 0.08)), fruits[rng.integers(4)]
        canvas.ellipse(x + float(dx) + 0.01, y + float(dy) + 0.015, size, size, (0.5, 0.45, 0.42))
        canvas.ellipse(x + float(dx), y + float(dy), size, size, tone)
        canvas.ellipse(
            x + float(dx) - size * 0.3,
            y + float(dy) - size * 0.3,
            size * 0.25,
            size * 0.25,
            (1.0, 0.95, 0.9),
        )
