"""Rendering: film usage of directions, layers, and what the look does."""

import numpy as np
import pytest
import torch

from hiera_cli.synth.camera import CameraPath
from hiera_cli.synth.scenes import Layer, Look, Scene, ground_detail, render

SIZE = 64


def spot_layer(x, y, extent=2.0):
    """A dark world 2 short sides wide with a white spot at (x, y)."""
    row, column = (round((v / extent + 0.5) * 256) for v in (y, x))
    texture = torch.zeros(1, 3, 256, 256)
    texture[:, :, row - 8 : row + 8, column - 8 : column + 8] = 1
    return Layer(texture, extent)


def spot_track(layer, **curves):
    """Where the spot is in each frame, (T, 2) as x and y off the center in short sides."""
    still = dict.fromkeys(("x", "y", "log_zoom", "roll"), np.zeros(3))
    curves = {name: np.array(values, dtype=float) for name, values in curves.items()}
    scene = Scene((layer,), CameraPath(**still | curves), lens=100)
    frames = render(scene, SIZE, SIZE, rng=np.random.default_rng(0))[..., 0].astype(float)
    axis = (np.arange(SIZE) + 0.5) / SIZE - 0.5
    mass = frames.sum(axis=(1, 2))
    return np.stack([(frames.sum(1) @ axis) / mass, (frames.sum(2) @ axis) / mass], axis=1)


def test_spot_is_where_the_world_has_it():
    assert spot_track(spot_layer(0.2, -0.1))[0] == pytest.approx([0.2, -0.1], abs=0.01)


def test_pan_left_moves_the_picture_right():
    track = spot_track(spot_layer(0.0, 0.0), x=[0.2, 0.0, -0.2])
    assert track[:, 0] == pytest.approx([-0.2, 0.0, 0.2], abs=0.01)
    assert track[:, 1] == pytest.approx([0, 0, 0], abs=0.01)


def test_tilt_up_moves_the_picture_down():
    track = spot_track(spot_layer(0.0, 0.0), y=[0.2, 0.0, -0.2])
    assert track[:, 1] == pytest.approx([-0.2, 0.0, 0.2], abs=0.01)


def test_zoom_in_makes_the_picture_grow():
    track = spot_track(spot_layer(0.2, 0.1), log_zoom=[-0.4, 0.0, 0.4])
    growth = np.exp([-0.4, 0.0, 0.4])
    assert track == pytest.approx(np.outer(growth, [0.2, 0.1]), abs=0.015)


def test_clockwise_roll_turns_the_picture_counterclockwise():
    track = spot_track(spot_layer(0.3, 0.0), roll=[0.0, 0.5, 1.0])
    assert track[:, 0] == pytest.approx(0.3 * np.cos([0.0, 0.5, 1.0]), abs=0.015)
    assert track[:, 1] == pytest.approx(-0.3 * np.sin([0.0, 0.5, 1.0]), abs=0.015)


def test_nearer_layers_move_faster_and_cover():
    far = Layer(torch.full((1, 3, 8, 8), 0.2), 2.0)
    near = torch.zeros(1, 4, 256, 256)
    near[:, :, 120:136, 120:136] = 1
    path = CameraPath(np.array([0.0, 0.2]), np.zeros(2), np.zeros(2), np.zeros(2))
    scene = Scene((far, Layer(near, 2.0, 0.5, mirrored=False)), path, lens=100)
    frames = render(scene, SIZE, SIZE, rng=np.random.default_rng(0))[..., 0]
    assert frames[0, 32, 32] == 255
    assert frames[0, 5, 5] == 51
    columns = [np.nonzero(frame[32] > 200)[0].mean() for frame in frames]
    assert columns[1] - columns[0] == pytest.approx(-0.3 * SIZE, abs=1)


def plain_scene(**rest):
    layer = Layer(torch.full((1, 3, 8, 8), 0.5), 2.0)
    still = CameraPath(*(np.zeros(4) for _ in range(4)))
    return Scene((layer,), still, **rest)


def test_look_changes_the_picture():
    look = Look(exposure=np.array([1.0, 0.5, 1.5, 3.0]), bar_rows=0.25)
    frames = render(plain_scene(look=look), 32, 16, rng=np.random.default_rng(0))
    assert frames.shape == (4, 16, 32, 3)
    assert [int(frame[8, 8, 0]) for frame in frames] == [128, 64, 191, 255]
    assert frames[:, :4].max() == 0
    assert frames[:, -4:].max() == 0
    assert frames[:, 4:12].min() == 64


def test_noise_comes_from_the_generator():
    scene = plain_scene(look=Look(noise=0.1))
    one, two, other = (
        render(scene, 32, 32, rng=np.random.default_rng(s)).astype(int) for s in (1, 1, 2)
    )
    assert (one == two).all()
    assert (one != other).any()
    assert one.std() == pytest.approx(25.5, rel=0.1)


def test_shutter_averages_instants():
    scene = plain_scene(shutter_samples=2)
    assert render(scene, 32, 32, rng=np.random.default_rng(0)).shape[0] == 2


def ground(pattern):
    """A world 2 short sides wide whose brightness is 0 or 1, (256, 256) or what broadcasts."""
    return Layer(torch.as_tensor(pattern).float().expand(1, 3, 256, 256).contiguous(), 2.0)


def detail(*layers, **look):
    path = CameraPath(*np.zeros((4, 3)))
    return ground_detail(Scene(layers, path, lens=100, look=Look(**look)), 64, 64)


STRIPES = (torch.arange(256) // 8) % 2  # 4 pixels wide, as far as ground_detail looks
CHESS = STRIPES ^ STRIPES[:, None]


def test_ground_detail_is_that_of_the_direction_with_less():
    assert detail(ground(CHESS)) > 0.8
    assert detail(ground(STRIPES)) == pytest.approx(0, abs=1e-6)
    assert detail(ground(STRIPES[:, None])) == pytest.approx(0, abs=1e-6)


def test_haze_and_darkness_lessen_ground_detail():
    clear = detail(ground(CHESS))
    assert detail(ground(CHESS), haze=0.4) == pytest.approx(0.6 * clear)
    dusk = np.array([1.0, 0.7, 0.2])
    assert detail(ground(CHESS), exposure=dusk) == pytest.approx(0.2 * clear)


def test_a_covered_ground_shows_no_detail():
    sheet = torch.ones(1, 4, 8, 8)
    over_half = Layer(sheet, 2.0, mirrored=False, x=np.array([9.0, 1.0, 9.0]), y=np.zeros(3))
    assert detail(ground(CHESS), Layer(sheet, 2.0)) == pytest.approx(0, abs=1e-6)
    covered = detail(ground(CHESS), over_half) / detail(ground(CHESS))  # at the middle instant
    assert covered == pytest.approx(0.5, abs=0.06)
