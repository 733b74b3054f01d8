"""A virtual camera in real footage: the labels of the paths hold for the pictures."""

import numpy as np
import pytest
import torch

from hiera_cli.synth.footage import Footage, Staging, edges_at_rest, read_footage, stage_footage
from hiera_cli.synth.props import Props
from hiera_cli.synth.scenes import render
from hiera_cli.synth.staging import Shot
from hiera_cli.video.encode import write_video

SHOT = Shot(width=48, height=32)


def test_windows_are_read_at_the_size_of_the_view(tmp_path):
    frames = [np.full((128, 192, 3), 2 * i, np.uint8) for i in range(90)]
    write_video(tmp_path / "a.mp4", frames, fps=30)
    windows = read_footage(str(tmp_path / "a.mp4"), num_windows=3, shot=SHOT)
    assert [tuple(w.frames.shape) for w in windows] == [(16, 3, 70, 105)] * 3
    first = [float(w.frames[0].mean() * 255) for w in windows]
    assert first == pytest.approx([0, 26, 52], abs=3)
    assert float(windows[0].frames[-1].mean() * 255) == pytest.approx(126, abs=3)
    assert windows[0].still.frames.shape[0] == 1


def test_a_pan_left_moves_the_footage_right():
    ramp = torch.linspace(0, 1, 128).expand(1, 3, 64, 128)
    for motion, sign in (("pan left", -1), ("pan right", 1)):
        rng = np.random.default_rng(0)
        scene = stage_footage(motion, rng, Footage(ramp.contiguous()), SHOT)
        brightness = render(scene, 48, 32, rng=rng).mean(axis=(1, 2, 3))
        assert (brightness[-1] - brightness[0]) * sign > 3


def noise(height: int, width: int) -> torch.Tensor:
    """A picture (3, H, W) of coarse noise: edges everywhere, also after averaging neighbours."""
    coarse = torch.rand(3, height // 4, width // 4, generator=torch.Generator().manual_seed(0))
    return coarse.repeat_interleave(4, 1).repeat_interleave(4, 2)


def test_a_camera_at_rest_keeps_its_edges_whatever_moves_in_front():
    still = noise(64, 96).expand(16, 3, 64, 96).clone()
    assert edges_at_rest(still).kept == 1.0
    for t in range(16):
        still[t, :, :, t : t + 24] = noise(64, 24)  # a large thing goes by
    assert Footage(still).shows_movement
    assert 0.3 < edges_at_rest(still).kept < 0.9


def test_a_camera_that_moves_a_cut_and_an_even_sky_are_left_out():
    wide = noise(64, 128)
    panned = torch.stack([wide[:, :, 2 * t : 2 * t + 96] for t in range(16)])
    assert not Footage(panned).shows_movement
    assert edges_at_rest(panned).kept < 0.3
    cut = noise(64, 96).expand(16, 3, 64, 96).clone()
    cut[0] = 0
    assert edges_at_rest(cut).agreement == pytest.approx(0, abs=1e-6)
    assert not Footage(cut).shows_movement
    assert Footage(cut).still.shows_movement is False  # black
    assert not Footage(torch.full((16, 3, 64, 96), 0.5)).shows_movement


def test_things_pass_in_front_of_real_footage():
    footage = Footage(noise(64, 96)[None])
    added = Staging(props=Props(np.random.default_rng(0), num_worlds=1))
    numbers = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        scene = stage_footage("static", rng, footage, SHOT, added=added)
        assert scene.layers[0].texture is footage.frames
        numbers.append(len(scene.layers))
    assert min(numbers) == 1
    assert max(numbers) > 3


def test_the_view_stays_inside():
    inside = torch.full((1, 3, 64, 96), 0.5)
    inside[:, :, :2] = inside[:, :, -2:] = inside[..., :2] = inside[..., -2:] = 1
    for seed in range(10):
        for motion in ("pan left", "tilt up", "zoom out", "shake"):
            rng = np.random.default_rng(seed)
            frames = render(stage_footage(motion, rng, Footage(inside), SHOT), 48, 32, rng=rng)
            assert (frames > 200).mean() < 0.12
