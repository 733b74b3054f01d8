"""How a camera moves: the ten kinds of movement, and random paths for each.

Film usage names what the camera does, so the picture does the opposite: in a pan left the
picture moves right, in a tilt up it moves down, in a clockwise roll it turns counterclockwise;
zooming in makes it grow.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Curve = npt.NDArray[np.float64]
Rng = np.random.Generator

MOTIONS = (
    "static",
    "pan left",
    "pan right",
    "tilt up",
    "tilt down",
    "zoom in",
    "zoom out",
    "roll clockwise",
    "roll counterclockwise",
    "shake",
)

# Axis, sign, and the smallest and largest travel in one window of 64/30 s: pictures are one unit
# on their short side; zoom is the logarithm of the enlargement, roll is in radians.
_TRAVEL: dict[str, tuple[str, int, float, float]] = {
    "pan left": ("x", -1, 0.06, 1.6),
    "pan right": ("x", 1, 0.06, 1.6),
    "tilt up": ("y", -1, 0.06, 1.3),
    "tilt down": ("y", 1, 0.06, 1.3),
    "zoom in": ("log_zoom", 1, 0.10, 0.95),
    "zoom out": ("log_zoom", -1, 0.10, 0.95),
    "roll clockwise": ("roll", 1, 0.09, 1.6),
    "roll counterclockwise": ("roll", -1, 0.09, 1.6),
}
# How far the edge of the picture moves for one unit of travel on each axis.
_EDGE_FLOW = {"x": 1.0, "y": 1.0, "log_zoom": 0.5, "roll": 0.5}


@dataclass(frozen=True, eq=False, slots=True)
class CameraPath:
    """Where a camera looks, at each of N instants.

    Attributes:
        x, y: the point looked at, right and down, in short sides of the picture.
        log_zoom: natural logarithm of the enlargement.
        roll: clockwise turn of the camera in radians.
    """

    x: Curve
    y: Curve
    log_zoom: Curve
    roll: Curve

    def __len__(self) -> int:
        return len(self.x)


def draw_path(motion: str, rng: Rng, times: Curve, *, limit: float = np.inf) -> CameraPath:
    """A random path of the given kind.

    Args:
        motion: one of MOTIONS.
        rng: source of all randomness.
        times: (N,) instants, 0 where the movement may begin and 1 one window (64/30 s) later.
        limit: bound on the travel, where the world is small.
    """
    curves = dict.fromkeys(("x", "y", "log_zoom", "roll"), np.zeros(len(times)))
    if motion == "shake":
        return CameraPath(**_shaken(curves, rng, times, rms=_log_uniform(rng, 0.009, 0.05)))
    if motion == "static":
        rms = _log_uniform(rng, 0.0001, 0.0018) if rng.random() < 0.5 else 0.0
        return CameraPath(**_shaken(curves, rng, times, rms=rms))
    axis, sign, least, most = _TRAVEL[motion]
    travel = _log_uniform(rng, least, min(most, max(limit, least)))
    curves[axis] = sign * travel * (draw_progress(rng, times) - 0.5)
    flow = travel * _EDGE_FLOW[axis]
    _add_impurity(curves, rng, times, keep=axis, flow=flow)
    rms = min(flow * rng.uniform(0, 0.1), 0.012) if rng.random() < 0.5 else 0.0
    return CameraPath(**_shaken(curves, rng, times, rms=rms))


def draw_even_path(motion: str, rng: Rng, times: Curve) -> CameraPath:
    """A random path that is easy to tell: even, of middling pace, nothing but the movement.

    Arguments as in `draw_path`.
    """
    curves = dict.fromkeys(("x", "y", "log_zoom", "roll"), np.zeros(len(times)))
    if motion == "shake":
        return CameraPath(**_shaken(curves, rng, times, rms=_log_uniform(rng, 0.02, 0.05)))
    if motion != "static":
        axis, sign, _least, most = _TRAVEL[motion]
        curves[axis] = sign * most * _log_uniform(rng, 0.2, 0.5) * (times - 0.5)
    return CameraPath(**curves)


def draw_progress(rng: Rng, times: Curve) -> Curve:
    """A rising curve, 0 at time 0 and 1 at time 1: steady, eased, quickening, or with pauses."""
    if rng.random() < 0.35:
        return times
    before, after = rng.uniform(-0.25, 0.3, 2).clip(0)
    part = np.clip((times - before) / (1 - before - after), 0, 1)
    kind = rng.integers(3)
    if kind == 0:
        return np.asarray(part * part * (3 - 2 * part))
    if kind == 1:
        return np.asarray(part ** rng.uniform(0.6, 1.8))
    blend = rng.uniform(0, 1)
    return np.asarray(blend * part + (1 - blend) * part**2 * (3 - 2 * part))


def draw_wobble(rng: Rng, times: Curve, *, lowest: float, highest: float) -> Curve:
    """A smooth random oscillation of unit root mean square, between two rates per window."""
    rates = rng.uniform(lowest, highest, 6)
    phases = rng.uniform(0, 2 * np.pi, 6)
    waves = np.sin(2 * np.pi * rates * times[:, None] + phases) * rng.uniform(0.3, 1, 6)
    wobble = waves.sum(axis=1)
    wobble = wobble - wobble.mean()
    return np.asarray(wobble / max(float(np.sqrt((wobble**2).mean())), 1e-6))


def _add_impurity(
    curves: dict[str, Curve], rng: Rng, times: Curve, *, keep: str, flow: float
) -> None:
    """Let the other axes drift a little along, as an operator's hand does; in place."""
    if rng.random() < 0.5:
        return
    for axis in _EDGE_FLOW:
        if axis == keep:
            continue
        amount = rng.uniform(-0.12, 0.12) * flow / _EDGE_FLOW[axis]
        curves[axis] = amount * (draw_progress(rng, times) - 0.5)


def _shaken(curves: dict[str, Curve], rng: Rng, times: Curve, *, rms: float) -> dict[str, Curve]:
    """The curves with a hand's tremor: mostly shift, some roll, a trace of zoom."""
    if rms == 0:
        return curves
    lowest, highest = 2.2, rng.uniform(5, 14)
    balance = rng.dirichlet((2, 2)) * 2
    amounts = {
        "x": rms * balance[0],
        "y": rms * balance[1],
        "roll": rms * rng.uniform(0, 1.2),
        "log_zoom": rms * rng.uniform(0, 0.3),
    }
    return {
        axis: curve + amounts[axis] * draw_wobble(rng, times, lowest=lowest, highest=highest)
        for axis, curve in sorted(curves.items())
    }


def _log_uniform(rng: Rng, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
