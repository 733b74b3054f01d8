"""Camera paths do what their names say."""

import numpy as np
import pytest

from hiera_cli.synth.camera import MOTIONS, draw_path, draw_progress

TIMES = np.arange(16) / 16

AXIS_AND_SIGN = {
    "pan left": ("x", -1),
    "pan right": ("x", 1),
    "tilt up": ("y", -1),
    "tilt down": ("y", 1),
    "zoom in": ("log_zoom", 1),
    "zoom out": ("log_zoom", -1),
    "roll clockwise": ("roll", 1),
    "roll counterclockwise": ("roll", -1),
}


@pytest.mark.parametrize("motion", AXIS_AND_SIGN)
@pytest.mark.parametrize("seed", range(10))
def test_travels_along_its_axis(motion, seed):
    axis, sign = AXIS_AND_SIGN[motion]
    path = draw_path(motion, np.random.default_rng(seed), TIMES)
    travel = {name: getattr(path, name)[-1] - getattr(path, name)[0] for name in AXES}
    assert travel[axis] * sign > 0.03
    flow = {name: abs(travel[name]) * (0.5 if name in ("log_zoom", "roll") else 1) for name in AXES}
    assert all(flow[name] < 0.5 * flow[axis] for name in AXES if name != axis)


AXES = ("x", "y", "log_zoom", "roll")


@pytest.mark.parametrize("seed", range(10))
def test_static_stays_and_shake_goes_nowhere(seed):
    still = draw_path("static", np.random.default_rng(seed), TIMES)
    assert max(np.abs(getattr(still, axis)).max() for axis in AXES) < 0.012
    shaken = draw_path("shake", np.random.default_rng(seed), TIMES)
    spread = np.hypot(shaken.x.std(), shaken.y.std())
    assert 0.005 < spread < 0.1
    assert abs(shaken.x.mean()) < 1e-9


def test_limit_bounds_the_travel():
    for seed in range(10):
        path = draw_path("pan left", np.random.default_rng(seed), TIMES, limit=0.2)
        assert np.ptp(path.x) < 0.25


def test_same_seed_same_path():
    one, two = (draw_path("zoom in", np.random.default_rng(3), TIMES) for _ in range(2))
    assert (one.log_zoom == two.log_zoom).all()
    assert len(one) == 16


def test_progress_rises_from_0_to_1():
    times = np.linspace(0, 1, 50)
    for seed in range(30):
        progress = draw_progress(np.random.default_rng(seed), times)
        assert (np.diff(progress) >= -1e-12).all()
        assert progress[-1] > 0.9


def test_ten_classes():
    assert len(set(MOTIONS)) == 10
    assert set(MOTIONS) == {*AXIS_AND_SIGN, "static", "shake"}
