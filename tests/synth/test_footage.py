"""A virtual camera in real footage: the labels of the paths hold for the pictures."""

import numpy as np
import pytest
import torch

from hiera_cli.synth.footage import Footage, read_footage, stage_footage
from hiera_cli.synth.scenes import render
from hiera_cli.synth.staging import Shot
from hiera_cli.video.encode import write_video

SHOT = Shot(width=48, height=32)


def test_windows_are_read_at_the_size_of_the_view(tmp_path):
    frames = [np.full((128, 192, 3), 2 * i, np.uint8) for i in range(90)]
    write_video(tmp_path / "a.mp4", frames, fps=30)
    windows = read_footage(str(tmp_path / "a.mp4"), num_windows=3, shot=SHOT)
    assert [tuple(w.frames.shape) for w in windows] == [(16, 3, 64, 96)] * 3
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


def test_the_view_stays_inside():
    inside = torch.full((1, 3, 64, 96), 0.5)
    inside[:, :, :2] = inside[:, :, -2:] = inside[..., :2] = inside[..., -2:] = 1
    for seed in range(10):
        for motion in ("pan left", "tilt up", "zoom out", "roll clockwise", "shake"):
            rng = np.random.default_rng(seed)
            frames = render(stage_footage(motion, rng, Footage(inside), SHOT), 48, 32, rng=rng)
            assert (frames > 200).mean() < 0.12
