"""What moves in front of the camera on its own: things, figures and streams.

A camera that stands still films people who walk, talk and wave, leaves in the wind and water.
The movers here fill up to half of the picture, change their shape and move with no regard to the
camera, so that only the ground behind them tells what the camera does.
"""

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from hiera_cli.synth.camera import draw_progress, draw_wobble
from hiera_cli.synth.props import Props
from hiera_cli.synth.scenes import Bend, Layer

Rng = np.random.Generator
Curve = npt.NDArray[np.float64]
NUM_THINGS = (0, 0, 0, 1, 1, 2, 3)
EDGES = ((0, 1), (0, 1), (-1, 0), (1, 0), (0, -1))  # where figures stand: mostly at the bottom


def draw_movers(rng: Rng, props: Props, times: Curve) -> list[Layer]:
    """The movers of a scene, from back to front; often none.

    Args:
        rng: source of everything random.
        props: textures.
        times: (N,) instants in windows of 64/30 s.
    """
    movers = []
    if rng.random() < 0.15:
        movers.append(_stream(rng, props, times))
    movers += [_thing(rng, props, times) for _ in range(int(rng.choice(NUM_THINGS)))]
    if rng.random() < 0.6:
        movers += _figure(rng, props, times)
    return movers


def draw_passers(rng: Rng, props: Props, picture: Tensor, times: Curve) -> list[Layer]:
    """Up to three large things that pass in front, in the colours of a picture.

    Args:
        rng: source of everything random.
        props: outlines.
        picture: (1, 3, H, W) in 0..1.
        times: (N,) instants in windows of 64/30 s.
    """
    num = int(rng.choice((0, 1, 1, 2, 3)))
    return [_passer(rng, props, picture, times) for _ in range(num)]


def _passer(rng: Rng, props: Props, picture: Tensor, times: Curve) -> Layer:
    """A train, a door, a crowd: goes straight across or comes nearer, and may fill the middle."""
    sprite = props.pick("sprite", rng)
    alpha = (
        sprite[:, 3:] if rng.random() < 0.5 else torch.ones(1, 1, 96, int(rng.integers(48, 193)))
    )
    axes = [torch.linspace(-1, 1, n) for n in alpha.shape[-2:]]
    down, across = torch.meshgrid(*axes, indexing="ij")
    cut = rng.uniform(0.2, 0.7, 2) * rng.choice((-1, 1), 2)
    shift = rng.uniform(-0.3, 0.3, 2)
    grid = torch.stack([across * cut[0] + shift[0], down * cut[1] + shift[1]], dim=-1).float()
    colours = F.grid_sample(picture, grid[None], padding_mode="reflection", align_corners=False)
    heading = rng.uniform(-np.pi, np.pi)
    travel = float(np.exp(rng.uniform(np.log(0.05), np.log(2.0))))
    path = travel * (draw_progress(rng, times) - 0.5)
    growth = rng.normal(0, 0.5) if rng.random() < 0.4 else 0.0
    spin = rng.normal(0, 0.8) if rng.random() < 0.2 else 0.0
    return Layer(
        torch.cat([colours, alpha], dim=1),
        float(rng.uniform(0.4, 1.5)),
        float(rng.uniform(0, 0.2)),
        mirrored=False,
        x=rng.uniform(-0.5, 0.5) + path * np.cos(heading),
        y=rng.uniform(-0.4, 0.4) + path * np.sin(heading),
        turn=rng.normal(0, 0.4) + spin * times,
        growth=np.exp(growth * (times - 0.5)),
        bend=_bend(rng, times, most=0.15) if rng.random() < 0.4 else None,
    )


def _thing(rng: Rng, props: Props, times: Curve) -> Layer:
    """Something that goes across, to and fro, turns, or comes nearer."""
    size = float(np.exp(rng.uniform(np.log(0.08), np.log(0.6))))
    place, travel = rng.uniform(-0.6, 0.6, 2), rng.normal(0, 0.4, 2)
    progress = draw_progress(rng, times)[:, None] - 0.5
    sway = rng.uniform(0, 0.06) if rng.random() < 0.5 else 0.0
    position = place + travel * progress + sway * _wander(rng, times, fastest=6)
    spin = rng.normal(0, 1.2) if rng.random() < 0.4 else 0.0
    growth = rng.normal(0, 0.4) if rng.random() < 0.4 else 0.0
    return Layer(
        props.pick("sprite", rng),
        size,
        float(rng.uniform(0, 0.3)),
        mirrored=False,
        x=position[:, 0],
        y=position[:, 1],
        turn=rng.uniform(-np.pi, np.pi) + spin * times,
        growth=np.exp(growth * times),
        bend=_bend(rng, times, most=0.15) if rng.random() < 0.5 else None,
    )


def _figure(rng: Rng, props: Props, times: Curve) -> list[Layer]:
    """A body at an edge of the picture, with up to three limbs that swing."""
    size = rng.uniform(0.6, 1.6)
    edge = np.array(EDGES[rng.integers(len(EDGES))])
    place = edge * rng.uniform(0.25, 0.75) + rng.uniform(-0.35, 0.35, 2) * (edge == 0)
    sway = float(np.exp(rng.uniform(np.log(0.005), np.log(0.16))))
    drift = rng.normal(0, 0.35, 2) if rng.random() < 0.5 else np.zeros(2)
    position = place + sway * _wander(rng, times, fastest=float(rng.uniform(0.8, 4)))
    position = position + drift * (draw_progress(rng, times)[:, None] - 0.5)
    nearness = float(rng.uniform(0, 0.3))
    body = Layer(
        props.pick("sprite", rng),
        size,
        nearness,
        mirrored=False,
        x=position[:, 0],
        y=position[:, 1],
        turn=rng.normal(0, 0.3) + rng.uniform(0, 0.15) * _wander(rng, times, fastest=3)[:, 0],
        bend=_bend(rng, times, most=0.25),
    )
    limbs = [_limb(rng, props, times, body) for _ in range(int(rng.integers(0, 4)))]
    return [body, *limbs]


def _limb(rng: Rng, props: Props, times: Curve, body: Layer) -> Layer:
    """A part of a figure: goes with its body, and swings by itself."""
    size = body.extent * rng.uniform(0.25, 0.6)
    offset = rng.uniform(-0.45, 0.45, 2) * body.extent
    reach = float(np.exp(rng.uniform(np.log(0.01), np.log(0.2))))
    swing = reach * _wander(rng, times, fastest=float(rng.uniform(1, 6)))
    return Layer(
        props.pick("sprite", rng),
        size,
        body.nearness,
        mirrored=False,
        x=body.x + offset[0] + swing[:, 0],
        y=body.y + offset[1] + swing[:, 1],
        turn=rng.uniform(-np.pi, np.pi)
        + rng.uniform(0, 0.6) * _wander(rng, times, fastest=4)[:, 0],
        bend=_bend(rng, times, most=0.3),
    )


def _stream(rng: Rng, props: Props, times: Curve) -> Layer:
    """An opening in which another world passes by or ripples: a car's window, a screen, a river."""
    sprite, world = props.pick("sprite", rng), props.pick("world", rng)
    side = sprite.shape[-1]
    heading = rng.uniform(-np.pi, np.pi)
    travel = rng.uniform(0.2, 2.5) * (draw_progress(rng, times) - 0.5)
    path = travel[:, None] * np.array([np.cos(heading), np.sin(heading)])
    zoom = side / world.shape[-1] * rng.uniform(1, 3)
    alpha = sprite[:, 3:].expand(len(times), -1, -1, -1)
    edge = np.array(EDGES[rng.integers(len(EDGES))])
    place = edge * rng.uniform(0, 0.5) + rng.uniform(-0.5, 0.5, 2)
    return Layer(
        torch.cat([_pass_by(world, path, side=side, zoom=zoom), alpha], dim=1),
        float(rng.uniform(0.3, 0.9)),
        mirrored=False,
        x=place[:1],
        y=place[1:],
        turn=np.array([rng.normal(0, 0.2)]),
        bend=_ripples(rng, times) if rng.random() < 0.3 else None,
    )


def _pass_by(world: Tensor, path: Curve, *, side: int, zoom: float) -> Tensor:
    """A window of the world at each place of a path, (N, 3, side, side)."""
    axis = torch.linspace(-1, 1, side) * zoom
    down, across = torch.meshgrid(axis, axis, indexing="ij")
    still = torch.stack([across, down], dim=-1)
    grid = still + torch.from_numpy((path * zoom).astype(np.float32))[:, None, None, :]
    pictures = world[:, :3].expand(len(path), -1, -1, -1)
    return F.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)


def _bend(rng: Rng, times: Curve, *, most: float) -> Bend:
    """Slow, large changes of shape."""
    num = 3
    strength = float(np.exp(rng.uniform(np.log(0.01), np.log(most))))
    fastest = float(rng.uniform(0.8, 5))
    waves = [draw_wobble(rng, times, lowest=0.2, highest=fastest) for _ in range(num)]
    return _random_bend(rng, strength * np.stack(waves, axis=1), rates=(0.5, 3.5))


def _ripples(rng: Rng, times: Curve) -> Bend:
    """Quick, small changes of shape: leaves, water."""
    waves = [draw_wobble(rng, times, lowest=1, highest=8) for _ in range(4)]
    strength = float(rng.uniform(0.01, 0.05))
    return _random_bend(rng, strength * np.stack(waves, axis=1), rates=(4, 16))


def _random_bend(rng: Rng, strength: Curve, *, rates: tuple[float, float]) -> Bend:
    num = strength.shape[1]
    headings = rng.uniform(-np.pi, np.pi, (2, num))
    rate = np.asarray(rng.uniform(*rates, num))[:, None]
    unit = np.stack([np.cos(headings), np.sin(headings)], axis=2)
    phase = np.asarray(rng.uniform(-np.pi, np.pi, num))
    return Bend(strength, rate * unit[0], phase, unit[1])


def _wander(rng: Rng, times: Curve, *, fastest: float) -> Curve:
    """A smooth random walk about the origin, (N, 2), of unit root mean square on each axis."""
    waves = [draw_wobble(rng, times, lowest=0.2, highest=fastest) for _ in range(2)]
    return np.stack(waves, axis=1)
