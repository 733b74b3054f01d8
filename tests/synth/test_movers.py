"""Things, figures and streams: they move, and they do so with no regard to the camera."""

import numpy as np
import pytest

from hiera_cli.synth.camera import CameraPath
from hiera_cli.synth.movers import draw_movers
from hiera_cli.synth.props import Props
from hiera_cli.synth.scenes import Layer, Scene, render

TIMES = np.linspace(0, 1, 6)


@pytest.fixture(scope="module")
def props() -> Props:
    return Props(np.random.default_rng(0), num_worlds=2, uses=1000)


def film(layers: list[Layer]) -> np.ndarray:
    still = CameraPath(*(np.zeros(len(TIMES)) for _ in range(4)))
    return render(Scene(tuple(layers), still), 48, 32, rng=np.random.default_rng(0)).astype(int)


def test_a_camera_that_stands_still_sees_movers_move_on_a_ground_that_does_not(props: Props):
    """What changes from frame to frame is part of the picture, now and then a large part."""
    ground = Layer(props.pick("world", np.random.default_rng(5)), extent=2.0)
    changed = []
    for seed in range(40):
        movers = draw_movers(np.random.default_rng(seed), props, TIMES)
        frames = film([ground, *movers])
        moving = (np.abs(frames - frames[:1]).max(axis=(0, 3)) > 8).mean()
        assert (moving > 0) <= bool(movers)
        changed.append(moving)
    assert 0.05 < np.mean(changed) < 0.5
    assert max(changed) > 0.3
    assert np.mean(np.array(changed) < 0.02) > 0.1


def test_movers_depend_on_their_generator_only(props: Props):
    def picture() -> np.ndarray:
        ground = Layer(props.pick("world", np.random.default_rng(1)), extent=2.0)
        return film([ground, *draw_movers(np.random.default_rng(3), props, TIMES)])

    assert (picture() == picture()).all()
