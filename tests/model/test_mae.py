from dataclasses import replace

import pytest
import torch

from hiera_cli.errors import UsageError
from hiera_cli.model.config import HieraConfig
from hiera_cli.model.mae import MaskedAutoencoder, normalise_patches
from hiera_cli.model.masking import random_mask, true_indices
from hiera_cli.tasks.synth import CAMERA_MOTION
from tests.model.networks import CLIP, IMAGE, lively

MOTION = replace(CAMERA_MOTION, input_size=(16, 64, 64))
ALL = pytest.mark.parametrize("config", [IMAGE, CLIP, MOTION], ids=["image", "clip", "motion"])
BOTH = pytest.mark.parametrize("config", [IMAGE, CLIP], ids=["image", "clip"])


def autoencoder(config) -> MaskedAutoencoder:
    model = MaskedAutoencoder(config.for_pretraining(), 32, 2, 4)
    lively(model)
    return model


def test_random_mask_counts_and_repeats():
    masks = [
        random_mask(4, 392, mask_ratio=0.9, generator=torch.Generator().manual_seed(s))
        for s in (1, 1, 2)
    ]
    assert masks[0].sum(1).tolist() == [39] * 4  # int(392 * (1 - 0.9)), as the official code
    assert torch.equal(masks[0], masks[1])
    assert not torch.equal(masks[0], masks[2])
    assert not torch.equal(masks[0][0], masks[0][1])


@ALL
def test_masked_pixels_are_not_seen(config):
    model = autoencoder(config)
    x = torch.randn(2, 3, *config.input_size)
    mask = random_mask(2, model.grid.num_units, mask_ratio=0.5)
    units = mask.view(2, 1, *model.grid.units).float()
    hidden = torch.nn.functional.interpolate(units, size=config.input_size) == 0
    changed = torch.where(hidden, torch.randn_like(x), x)
    loss, predictions, labels, _ = model(x, mask=mask)
    loss_changed, predictions_changed, labels_changed, _ = model(changed, mask=mask)
    assert torch.equal(predictions, predictions_changed)
    assert not torch.equal(labels, labels_changed)
    assert loss != loss_changed
    assert loss.item() == pytest.approx((predictions - labels).square().mean().item())


def test_the_last_pooling_of_the_motion_network_is_left_out():
    model = autoencoder(MOTION)
    assert (MOTION.q_pool, model.config.q_pool) == (2, 1)
    assert model.final_grid.unit_size == (1, 2, 2)
    assert model.decoder_pred.out_features == 16 * 16 * 3
    assert HieraConfig().for_pretraining().q_pool == 2
    assert replace(MOTION, q_pool=0).for_pretraining().q_pool == 0


@BOTH
def test_patches_hold_the_right_pixels(config):
    model = autoencoder(config)
    x = torch.randn(2, 3, *config.input_size)
    patches = model.patches(x)
    assert patches.shape[2] == 16 * 16 * 3
    last = x[1, :, -16:, -16:] if not config.is_video else x[1, :, -2, -16:, -16:].movedim(0, -1)
    assert torch.equal(patches[1, -1], last.flatten())


def test_labels_are_normalised_per_patch():
    normal, mean, deviation = normalise_patches(torch.randn(5, 7, 48) * 3 + 2)
    torch.testing.assert_close(normal.mean(-1), torch.zeros(5, 7), atol=1e-6, rtol=0)
    torch.testing.assert_close(normal.std(-1), torch.ones(5, 7))
    assert mean.shape == deviation.shape == (5, 7, 1)


@BOTH
def test_reconstruction_from_the_labels_is_the_picture(config):
    model = autoencoder(config)
    x = torch.randn(2, 3, *config.input_size)
    _, predictions, labels, mask = model(x, mask_ratio=0.75)
    picture = x[:, :, ::2] if config.is_video else x
    torch.testing.assert_close(model.reconstruct(x, labels, mask), picture)
    guess = model.reconstruct(x, predictions, mask)
    differs = (guess - picture).abs().amax(1) > 1e-4
    units = mask.view(2, *model.grid.units)
    size = (x.shape[0], *picture.shape[2:])
    shown = torch.nn.functional.interpolate(units[:, None].float(), size=size[1:])[:, 0] == 1
    assert not differs[shown].any()
    assert differs[~shown].float().mean() > 0.9


def test_generator_decides_the_mask():
    model = autoencoder(CLIP)
    x = torch.randn(2, 3, *CLIP.input_size)
    masks = [model(x, 0.5, generator=torch.Generator().manual_seed(7))[3] for _ in range(2)]
    assert torch.equal(*masks)


@pytest.mark.parametrize(
    "mask",
    [
        torch.tensor([[True, False, False, False, True, False], [True] + [False] * 5]),
        torch.zeros(2, 6, dtype=torch.bool),
        torch.ones(2, 5, dtype=torch.bool),
    ],
    ids=["uneven", "nothing visible", "wrong number"],
)
def test_unusable_masks_are_refused(mask):
    with pytest.raises(UsageError, match="visible units"):
        autoencoder(IMAGE)(torch.randn(2, 3, 64, 96), mask=mask)


@ALL
def test_visible_units_give_what_their_mask_gives(config):
    """Against a masked mean over all patches, without gathering any."""
    model = autoencoder(config).train()
    x = torch.randn(2, 3, *config.input_size)
    mask = random_mask(2, model.grid.num_units, mask_ratio=0.5)
    visible = true_indices(mask, int(mask[0].sum()))
    loss, predictions, labels, found = model(x, visible=visible)
    assert found.equal(mask)
    for ours, theirs in zip(model(x, mask=mask)[:3], (loss, predictions, labels), strict=True):
        assert ours.equal(theirs)
    targets, _, _ = normalise_patches(model.patches(x))
    hidden = torch.ones(targets.shape[:2], dtype=torch.bool)
    hidden[torch.arange(2)[:, None], model.tokens_in(mask, visible.shape[1])] = False
    everything = torch.zeros_like(targets).masked_scatter(hidden[..., None], predictions)
    error = (everything - targets).square().mean(-1)
    masked_mean = (error * hidden).sum() / hidden.sum()
    torch.testing.assert_close(masked_mean, loss)


@ALL
def test_no_shape_depends_on_which_units_are_visible(config):
    """Meta tensors have no values: whatever asks for one fails, as it would in a CUDA graph."""
    with torch.device("meta"):
        model = MaskedAutoencoder(config.for_pretraining(), 32, 2, 4).train()
        x = torch.randn(2, 3, *config.input_size)
        mask = torch.ones(2, model.grid.num_units, dtype=torch.bool)
    model(x, visible=torch.zeros(2, 1, dtype=torch.int64, device="meta"))[0].backward()
    assert all(p.grad is not None for p in model.parameters())
    with pytest.raises((NotImplementedError, RuntimeError), match="meta"):
        model(x, mask=mask)


def test_checkpointing_gives_the_same_gradients():
    model = autoencoder(CLIP).train()
    x = torch.randn(2, 3, *CLIP.input_size)
    gradients = []
    for checkpointing in (False, True):
        model.gradient_checkpointing = checkpointing
        model.zero_grad()
        model(x, 0.5, generator=torch.Generator().manual_seed(7))[0].backward()
        gradients.append([p.grad.clone() for p in model.parameters()])
    torch.testing.assert_close(*gradients)


def test_meta_construction_allocates_nothing():
    with torch.device("meta"):
        model = MaskedAutoencoder(CLIP.for_pretraining())
    assert {p.device.type for p in model.parameters()} == {"meta"}
