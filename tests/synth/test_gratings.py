"""A network that starts by seeing motion."""

import math

import pytest
import torch

from hiera_cli.errors import UsageError
from hiera_cli.model.config import HieraConfig
from hiera_cli.synth.gratings import NUM_ENERGIES, NUM_GRATINGS, grating, make_motion_network

CONFIG = HieraConfig(
    input_size=(8, 32, 32),
    embed_dim=56,
    num_classes=4,
    stages=(1, 1, 1, 1),
    q_pool=1,
    q_stride=(1, 2, 2),
    mask_unit_size=(1, 2, 2),
    mask_unit_attn=(True, False, False, False),
    dim_mul=2.0,
    head_mul=1.0,
    patch_kernel=(5, 10, 10),
    patch_stride=(2, 8, 8),
    patch_padding=(2, 1, 1),
    sep_pos_embed=True,
)


def drifting(rate, angle=0.0, frames=8, size=32, wavelength=9.0):
    """A wave that drifts `rate` turns a frame along `angle`: (1, 3, T, H, W)."""
    t, y, x = torch.meshgrid(
        *(torch.arange(n, dtype=torch.float32) for n in (frames, size, size)), indexing="ij"
    )
    along = (x * math.cos(angle) + y * math.sin(angle)) / wavelength
    return torch.cos(2 * math.pi * (along - rate * t)).expand(1, 3, -1, -1, -1)


def test_gratings_have_zero_mean_and_unit_norm():
    wave = grating((5, 10, 10), angle=0.7, wavelength=6, rate=0.1, phase=0.3)
    assert wave.shape == (5, 10, 10)
    assert float(wave.sum()) == pytest.approx(0, abs=1e-5)
    assert float(wave.norm()) == pytest.approx(1, abs=1e-5)


def test_first_stage_tells_directions_apart():
    model = make_motion_network(CONFIG, seed=0).eval()
    forward, backward = NUM_GRATINGS, NUM_GRATINGS + 2
    with torch.no_grad():
        rightwards = model.forward_stages(drifting(0.2))[0].mean((0, 1, 2, 3))
        leftwards = model.forward_stages(drifting(-0.2))[0].mean((0, 1, 2, 3))
    assert rightwards[forward] > rightwards[backward] + 0.2
    assert leftwards[backward] > leftwards[forward] + 0.2
    assert int(rightwards[NUM_GRATINGS : NUM_GRATINGS + NUM_ENERGIES].argmax()) == 0


def test_same_seed_same_weights_and_no_trace():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one = make_motion_network(CONFIG, seed=1).state_dict()
    assert torch.rand(1) == expected
    two = make_motion_network(CONFIG, seed=1).state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_refuses_networks_without_time_or_room():
    with pytest.raises(UsageError, match="52 channels"):
        make_motion_network(HieraConfig(num_classes=2), seed=0)
