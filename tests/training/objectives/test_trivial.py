"""Trivial answers: what they lose is computed by hand on clips that are easy to know."""

from dataclasses import replace

import pytest
import torch

from hiera_cli.model.mae import MaskedAutoencoder
from hiera_cli.model.masking import random_mask, true_indices
from hiera_cli.training.objectives.trivial import MeanPicture, trivial_losses
from tests.model.networks import CLIP, IMAGE


def losses(
    config, pixels: torch.Tensor, mask: torch.Tensor, picture: MeanPicture | None = None
) -> list[float]:
    model = MaskedAutoencoder(config.for_pretraining(), 32, 1, 4)
    visible = true_indices(mask, int(mask[0].sum()))
    return trivial_losses(model, pixels, visible, picture or MeanPicture()).tolist()


def test_noise_tells_nothing_about_its_neighbours() -> None:
    torch.manual_seed(0)
    pixels = torch.randn(4, 3, *CLIP.input_size)
    mask = random_mask(4, 8, mask_ratio=0.5)
    mean, copy, picture = losses(CLIP, pixels, mask)
    assert mean == pytest.approx(1.0, abs=0.01)
    assert copy == pytest.approx(2.0, abs=0.05)
    assert picture == mean  # nothing was seen before


def test_a_camera_that_stands_still_is_known_by_its_mean_picture() -> None:
    torch.manual_seed(0)
    scene = torch.randn(1, 3, *CLIP.input_size)
    mask = random_mask(4, 8, mask_ratio=0.5)
    picture = MeanPicture()
    assert losses(CLIP, scene.expand(4, -1, -1, -1, -1), mask, picture)[2] > 0.9
    assert losses(CLIP, scene.expand(4, -1, -1, -1, -1), mask, picture)[2] < 1e-6
    other = torch.randn(4, 3, *CLIP.input_size)  # independent of it: both variances
    assert losses(CLIP, other, mask, picture)[2] == pytest.approx(2.0, abs=0.05)
    # 8 clips of the scene and 4 others: patches are 2/3 scene + 1/12 each other
    known = (1 - 2 / 3) ** 2 + 4 * (1 / 12) ** 2
    again = losses(CLIP, scene.expand(4, -1, -1, -1, -1), mask, picture)[2]
    assert again == pytest.approx(known, abs=0.03)


def test_what_repeats_in_time_can_be_copied() -> None:
    config = replace(CLIP, input_size=(4, 32, 32))  # two mask units, one after the other
    frame = torch.randn(2, 3, 1, 32, 32)
    mask = torch.tensor([[True, False], [False, True]])
    mean, copy, _ = losses(config, frame.expand(-1, -1, 4, -1, -1), mask)
    assert mean == pytest.approx(1.0, abs=0.01)
    assert copy == pytest.approx(0.0, abs=1e-6)


def test_the_nearest_patch_is_copied() -> None:
    config = replace(IMAGE, input_size=(32, 96))  # three mask units side by side
    pixels = torch.randn(1, 3, 32, 96)
    pixels[..., 32:64] = pixels[..., 48:64].repeat(1, 1, 1, 2)
    pixels[..., 64:80] = pixels[..., 80:] = pixels[..., 48:64]  # as on its left, not as far off
    _, copy, _ = losses(config, pixels, torch.tensor([[True, True, False]]))
    assert copy == pytest.approx(0.0, abs=1e-6)


def test_patches_of_one_colour_are_left_out_of_no_sum() -> None:
    found = losses(IMAGE, torch.ones(1, 3, 64, 96), torch.tensor([[True] + [False] * 5]))
    assert found == [0.0, 0.0, 0.0]
