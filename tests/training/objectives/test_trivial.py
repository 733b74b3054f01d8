"""Trivial answers: what they lose is computed by hand on clips that are easy to know."""

from dataclasses import replace

import pytest
import torch

from hiera_cli.model.mae import MaskedAutoencoder
from hiera_cli.model.masking import random_mask, true_indices
from hiera_cli.training.objectives.trivial import trivial_losses
from tests.model.networks import CLIP, IMAGE


def losses(config, pixels: torch.Tensor, mask: torch.Tensor) -> list[float]:
    model = MaskedAutoencoder(config.for_pretraining(), 32, 1, 4)
    return trivial_losses(model, pixels, true_indices(mask, int(mask[0].sum()))).tolist()


def test_noise_tells_nothing_about_its_neighbours() -> None:
    torch.manual_seed(0)
    pixels = torch.randn(4, 3, *CLIP.input_size)
    mask = random_mask(4, 8, mask_ratio=0.5)
    mean, copy = losses(CLIP, pixels, mask)
    assert mean == pytest.approx(1.0, abs=0.01)
    assert copy == pytest.approx(2.0, abs=0.05)


def test_what_repeats_in_time_can_be_copied() -> None:
    config = replace(CLIP, input_size=(4, 32, 32))  # two mask units, one after the other
    frame = torch.randn(2, 3, 1, 32, 32)
    mask = torch.tensor([[True, False], [False, True]])
    mean, copy = losses(config, frame.expand(-1, -1, 4, -1, -1), mask)
    assert mean == pytest.approx(1.0, abs=0.01)
    assert copy == pytest.approx(0.0, abs=1e-6)


def test_the_nearest_patch_is_copied() -> None:
    config = replace(IMAGE, input_size=(32, 96))  # three mask units side by side
    pixels = torch.randn(1, 3, 32, 96)
    pixels[..., 32:64] = pixels[..., 48:64].repeat(1, 1, 1, 2)
    pixels[..., 64:80] = pixels[..., 80:] = pixels[..., 48:64]  # as on its left, not as far off
    _, copy = losses(config, pixels, torch.tensor([[True, True, False]]))
    assert copy == pytest.approx(0.0, abs=1e-6)


def test_patches_of_one_colour_are_left_out_of_no_sum() -> None:
    mean, copy = losses(IMAGE, torch.ones(1, 3, 64, 96), torch.tensor([[True] + [False] * 5]))
    assert (mean, copy) == (0.0, 0.0)
