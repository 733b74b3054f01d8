"""Random scenes: the path carries the label, everything else is drawn without regard to it."""

import numpy as np
import pytest

from hiera_cli.synth.camera import MOTIONS
from hiera_cli.synth.props import Props
from hiera_cli.synth.scenes import ground_detail, render
from hiera_cli.synth.staging import MIN_DETAIL, Shot, stage, stage_plainly

SHOT = Shot(num_frames=8, width=48, height=32)


@pytest.fixture(scope="module")
def props():
    return Props(np.random.default_rng(0), num_worlds=2, uses=1000)


@pytest.mark.parametrize("motion", MOTIONS)
def test_every_motion_renders(props, motion):
    for seed in range(4):
        rng = np.random.default_rng(seed)
        frames = render(stage(motion, rng, props, SHOT), SHOT.width, SHOT.height, rng=rng)
        assert frames.shape == (8, 32, 48, 3)
        assert frames.dtype == np.uint8
        assert frames.std() > 1


def test_the_ground_of_every_scene_can_be_seen(props):
    rng = np.random.default_rng(0)
    scenes = [stage("static", rng, props, SHOT) for _ in range(60)]
    assert min(ground_detail(scene, SHOT.width, SHOT.height) for scene in scenes) >= MIN_DETAIL


def test_only_the_camera_moves_in_a_plain_scene(props):
    """A static camera sees hardly any change; any other sees more, whatever the scene."""
    changes = {}
    for motion in MOTIONS:
        for seed in range(5):
            rng = np.random.default_rng(seed)
            scene = stage_plainly(motion, rng, props, SHOT)
            frames = render(scene, SHOT.width, SHOT.height, rng=rng).astype(int)
            changes.setdefault(motion, []).append(np.abs(np.diff(frames, axis=0)).mean())
    still = changes.pop("static")
    assert max(still) < 1
    assert min(map(np.mean, changes.values())) > 3 * np.mean(still)


def test_same_seed_same_frames():
    def film():
        rng = np.random.default_rng(7)
        props = Props(np.random.default_rng(1), num_worlds=1)
        return render(stage("roll clockwise", rng, props, SHOT), 48, 32, rng=rng)

    assert (film() == film()).all()


def test_props_are_replaced_now_and_then():
    props, rng = Props(np.random.default_rng(0), num_worlds=1, uses=2), np.random.default_rng(1)
    seen = {round(float(props.pick("world", rng).mean()), 6) for _ in range(6)}
    assert 2 <= len(seen) <= 4
