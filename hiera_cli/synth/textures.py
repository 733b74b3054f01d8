"""Procedural textures: what the rendered worlds and the things in them are painted with.

Natural pictures have detail at every scale, hard edges where one thing hides another, smooth
shading, and regular structure here and there. Fractal noise, dead leaves (shapes of power-law
sizes that cover one another) and lattices give each of these; a texture mixes them at random.
All arrays are float32 in 0..1, height by width by channels.
"""

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.float32]
Rng = np.random.Generator


def draw_world(rng: Rng, size: int) -> Image:
    """A square picture of a made-up place (size, size, 3)."""
    painters = (_painted_noise, _leaves_on_noise, _leaves_on_noise, _lattice, _landscape)
    picture = painters[rng.integers(len(painters))](rng, size)
    if rng.random() < 0.3:
        other = painters[rng.integers(len(painters))](rng, size)
        picture = _join(picture, other, fractal_noise(rng, size)[..., None])
    return _regrade(picture, rng)


def draw_carpet(rng: Rng, size: int) -> Image:
    """A square of fine, even detail without large areas or edges (size, size, 3)."""
    grains = [fractal_noise(rng, size, roughness=0.7, coarsest=size // 20) for _ in range(3)]
    return np.stack(grains, axis=2)


def draw_sprite(rng: Rng, size: int) -> Image:
    """One object on a transparent ground (size, size, 4); alpha is 0 at the border."""
    paint = _painted_noise(rng, size) if rng.random() < 0.6 else _leaves(rng, size, num=12)
    paint = _regrade(paint * 0.7 + rng.random(3, dtype=np.float32) * 0.3, rng)
    return np.concatenate([paint, _silhouette(rng, size)[..., None]], axis=2)


def draw_screen(rng: Rng, size: int) -> Image:
    """Scattered objects on a transparent ground (size, size, 4): bushes, posts, a fence."""
    noise = fractal_noise(rng, size, roughness=float(rng.uniform(0.4, 0.7)))
    if rng.random() < 0.5:
        bars = np.sin(np.linspace(0, rng.uniform(20, 90), size, dtype=np.float32))
        across = np.broadcast_to(bars if rng.random() < 0.7 else bars[:, None], noise.shape)
        noise = np.asarray(0.4 * noise + 0.3 * across, dtype=np.float32)
    alpha = soft_step(noise - np.quantile(noise, rng.uniform(0.75, 0.93)), 0.02)
    return np.concatenate([_painted_noise(rng, size), alpha[..., None]], axis=2)


def fractal_noise(rng: Rng, size: int, *, roughness: float = 0.55, coarsest: int = 3) -> Image:
    """Multi-octave value noise (size, size), stretched to 0..1.

    Each octave has twice the cells and `roughness` times the amplitude of the one before.
    """
    total = np.zeros((size, size), dtype=np.float32)
    amplitude, cells = 1.0, coarsest
    while cells <= size:
        total += amplitude * _enlarge(rng.standard_normal((cells, cells), dtype=np.float32), size)
        amplitude, cells = amplitude * roughness, cells * 2
    low, high = np.quantile(total[::4, ::4], (0.01, 0.99))
    stretched = (total - np.float32(low)) / np.float32(max(float(high - low), 1e-6))
    return np.asarray(np.clip(stretched, 0, 1), dtype=np.float32)


def _enlarge(grid: Image, size: int) -> Image:
    """Bilinear enlargement of a square grid (with smoothed weights) to (size, size)."""
    weights = _enlarging_matrix(len(grid), size)
    return np.asarray(weights @ grid @ weights.T, dtype=np.float32)


def _enlarging_matrix(cells: int, size: int) -> Image:
    position = np.linspace(0, cells - 1, size, dtype=np.float32)
    left = np.minimum(position.astype(np.int64), cells - 2)
    part = position - left
    part = part * part * (3 - 2 * part)
    matrix = np.zeros((size, cells), dtype=np.float32)
    rows = np.arange(size)
    matrix[rows, left] = 1 - part
    matrix[rows, left + 1] = part
    return matrix


def _palette(rng: Rng, num: int) -> Image:
    """`num` colours (num, 3) around a common hue, from dark to bright."""
    hue = rng.random(3, dtype=np.float32)
    spread = rng.uniform(0.1, 0.6)
    tones = np.sort(rng.random(num))[:, None] * 0.8 + 0.1
    colours = tones * (1 - spread) + spread * rng.random((num, 3)) * (0.4 + 0.6 * hue)
    return np.clip(colours, 0, 1).astype(np.float32)


def _colour(field: Image, palette: Image) -> Image:
    """A picture from a field in 0..1: colours of the palette from end to end."""
    stops = np.linspace(0, 1, len(palette))
    channels = [np.interp(field, stops, palette[:, c]) for c in range(3)]
    return np.stack(channels, axis=2).astype(np.float32)


def _painted_noise(rng: Rng, size: int) -> Image:
    """Clouds, marble or camouflage, by what is done with the noise."""
    field = fractal_noise(rng, size, roughness=float(rng.uniform(0.45, 0.75)))
    kind = rng.integers(3)
    if kind == 1:
        field = 0.5 + 0.5 * np.sin(field * np.float32(rng.uniform(10, 40)))
    elif kind == 2:
        levels = int(rng.integers(3, 7))
        field = np.floor(field * np.float32(levels)) / np.float32(levels)
    return _colour(field, _palette(rng, int(rng.integers(3, 6))))


def _leaves_on_noise(rng: Rng, size: int) -> Image:
    return _leaves(rng, size, num=int(rng.integers(40, 240)))


def _leaves(rng: Rng, size: int, *, num: int) -> Image:
    """The dead leaves model: shaded, textured shapes of power-law sizes laid over noise."""
    picture = _painted_noise(rng, size)
    grain = fractal_noise(rng, size, roughness=0.8)
    palette = _palette(rng, 12)
    smallest, largest = size * 0.012, size * 0.22
    for _ in range(num):
        radius = (smallest**-1.6 + rng.random() * (largest**-1.6 - smallest**-1.6)) ** (-1 / 1.6)
        _lay_leaf(picture, grain, rng, radius=radius, colour=palette[rng.integers(12)])
    return picture


def _lay_leaf(picture: Image, grain: Image, rng: Rng, *, radius: float, colour: Image) -> None:
    """Paint one shape at a random place over `picture`, in place."""
    size = len(picture)
    reach = int(radius * 1.5) + 2
    row, column = rng.integers(0, size, 2)
    rows = slice(max(row - reach, 0), min(row + reach, size))
    columns = slice(max(column - reach, 0), min(column + reach, size))
    y, x = np.ogrid[rows, columns]
    inside = _leaf_mask(rng, (x - column) / radius, (y - row) / radius, softness=1.5 / radius)
    shade = (
        1
        + rng.uniform(-0.4, 0.4) * (x - column) / radius
        + rng.uniform(-0.4, 0.4) * (y - row) / radius
    )
    paint = (shade * (0.75 + 0.5 * rng.random() * grain[rows, columns]))[..., None] * colour
    part = picture[rows, columns]
    part += inside[..., None] * (np.clip(paint, 0, 1) - part)


def _leaf_mask(
    rng: Rng, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], *, softness: float
) -> Image:
    """Coverage 0..1 of an ellipse, a box or a triangle of about unit radius, turned at random."""
    angle = rng.uniform(0, np.pi) if rng.random() < 0.7 else 0.0
    stretch = np.exp(rng.uniform(-0.6, 0.6))
    along = (np.cos(angle) * x + np.sin(angle) * y) * stretch
    across = (np.cos(angle) * y - np.sin(angle) * x) / stretch
    kind = rng.integers(3)
    if kind == 0:
        distance = np.hypot(along, across) - 1
    elif kind == 1:
        distance = np.maximum(np.abs(along), np.abs(across)) - 0.9
    else:
        distance = np.maximum(np.abs(along) * 0.87 + across * 0.5, -across) - 0.55
    return soft_step(-distance, softness)


def soft_step(field: npt.NDArray[np.floating], width: float) -> Image:
    """0 below, 1 above zero, with a ramp of `width`."""
    return np.asarray(np.clip(field / width + 0.5, 0, 1), dtype=np.float32)


def _silhouette(rng: Rng, size: int) -> Image:
    """The outline of an object: a shape with a wobbly edge (size, size)."""
    axis = np.linspace(-1.15, 1.15, size, dtype=np.float32)
    y, x = axis[:, None], axis[None, :]
    wobble = (fractal_noise(rng, size) - 0.5) * rng.uniform(0, 0.9)
    power = rng.choice((1.2, 2.0, 2.0, 6.0))
    stretch = np.exp(rng.uniform(0, 0.8))
    stretch_x, stretch_y = (stretch, 1.0) if rng.random() < 0.5 else (1.0, stretch)
    distance = np.abs(x * stretch_x) ** power + np.abs(y * stretch_y) ** power
    inside = soft_step(0.8 + wobble - distance, 0.15)
    inside *= (np.abs(x) < 1.1) & (np.abs(y) < 1.1)
    return inside


def _lattice(rng: Rng, size: int) -> Image:
    """Bricks, tiles or windows: cells of random brightness between joints, on a wall."""
    cell_h, cell_w = rng.uniform(0.02, 0.16, 2) * size
    row = np.arange(size)[:, None] / cell_h
    shift = (np.floor(row) % 2) * 0.5 * (rng.random() < 0.5)
    column = np.arange(size)[None, :] / cell_w + shift
    joint = rng.uniform(0.06, 0.35)
    inside = (row % 1 > joint) & (column % 1 > joint)
    tones = rng.random((64, 64))
    tone = tones[np.floor(row).astype(np.int64) % 64, np.floor(column).astype(np.int64) % 64]
    wall = _painted_noise(rng, size)
    bricks = _colour(tone, _palette(rng, 4)) * (0.6 + 0.6 * fractal_noise(rng, size)[..., None])
    return _join(wall, np.clip(bricks, 0, 1), inside[..., None].astype(np.float32))


def _landscape(rng: Rng, size: int) -> Image:
    """Sky over ridges over ground, with things standing about."""
    down = np.linspace(0, 1, size, dtype=np.float32)[:, None]
    clouds = fractal_noise(rng, size) * rng.uniform(0, 0.6)
    picture = _colour(np.clip(down * 1.4 + clouds - 0.2, 0, 1), _palette(rng, 3)[::-1])
    ground = _painted_noise(rng, size)
    horizon = rng.uniform(0.3, 0.6)
    for depth in np.linspace(0, 1, int(rng.integers(1, 4))):
        ridge = fractal_noise(rng, size, roughness=0.6)[:1] * 0.25 * rng.random()
        below = soft_step(down - (horizon + 0.2 * depth - ridge), 2 / size)[..., None]
        picture = _join(picture, ground * np.float32(0.5 + 0.5 * depth) + 0.1, below)
    grain = fractal_noise(rng, size, roughness=0.8)
    for colour in _palette(rng, int(rng.integers(2, 50))):
        _lay_leaf(picture, grain, rng, radius=size * rng.uniform(0.01, 0.06), colour=colour)
    return picture


def _join(under: Image, over: Image, weight: Image) -> Image:
    """`over` where the weight is 1, `under` where it is 0."""
    return under + weight * (over - under)


def _regrade(picture: Image, rng: Rng) -> Image:
    """Another contrast, brightness and colour balance."""
    contrast = np.exp(rng.uniform(-0.5, 0.4))
    middle = picture.mean(axis=(0, 1))
    target = np.clip(middle + rng.uniform(-0.2, 0.2), 0.15, 0.85)
    balance = rng.uniform(0.85, 1.15, 3)
    graded = (picture - middle) * contrast * balance + target
    return np.asarray(np.clip(graded, 0, 1), dtype=np.float32)
