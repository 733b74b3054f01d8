from typing import Any

import pytest
import torch
from torch import nn

from hiera_cli.model.config import HieraConfig
from hiera_cli.model.mae import MaskedAutoencoder
from hiera_cli.model.masking import random_mask
from tests.parity.official import (
    ARCHITECTURES,
    deviation,
    enliven,
    official_autoencoder,
    reduced,
)

TOLERANCE = 1e-5
SMALL_DECODER = {"decoder_embed_dim": 64, "decoder_depth": 2, "decoder_num_heads": 4}


def pair(name: str) -> tuple[nn.Module, MaskedAutoencoder, torch.Tensor]:
    """Both autoencoders with the same weights, and an input."""
    arguments: dict[str, Any] = reduced(name) | {"q_pool": 2}
    reference = official_autoencoder(**arguments, **SMALL_DECODER)
    enliven(reference, seed=1)
    with torch.device("meta"):
        ours = MaskedAutoencoder(HieraConfig(**arguments), **SMALL_DECODER)
    state = {name: tensor.clone() for name, tensor in reference.state_dict().items()}
    ours.load_state_dict(state, assign=True)
    torch.manual_seed(0)
    return reference, ours, torch.randn(2, 3, *arguments["input_size"])


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_same_mask_same_loss_predictions_labels(name):
    reference, ours, x = pair(name)
    mask = random_mask(2, ours.grid.num_units, mask_ratio=0.6)
    with torch.no_grad():
        expected = reference(x, mask=mask)
        result = ours(x, mask=mask)
    for mine, theirs in zip(result[:3], expected[:3], strict=True):
        assert deviation(mine, theirs) < TOLERANCE
    assert torch.equal(result[3], expected[3])


@pytest.mark.parametrize("mask_ratio", [0.5, 0.6, 0.75, 0.9])
def test_the_same_seed_masks_the_same_units(mask_ratio):
    reference, ours, x = pair("hiera_base_16x224")
    torch.manual_seed(3)
    expected = reference.get_random_mask(x, mask_ratio)
    torch.manual_seed(3)
    assert torch.equal(random_mask(2, ours.grid.num_units, mask_ratio=mask_ratio), expected)


@pytest.mark.parametrize("name", ["hiera_tiny_224", "hiera_base_16x224"])
def test_gradients_of_a_pretraining_step(name):
    reference, ours, x = (tensor.double() for tensor in pair(name))  # as for a training step
    mask = random_mask(2, ours.grid.num_units, mask_ratio=0.5)
    reference(x, mask=mask)[0].backward()
    ours(x, mask=mask)[0].backward()
    gradients = {name: p.grad for name, p in reference.named_parameters()}
    for parameter_name, parameter in ours.named_parameters():
        assert deviation(parameter.grad, gradients[parameter_name]) < TOLERANCE, parameter_name


def test_state_dict_layout_with_the_default_decoder():
    arguments = reduced("hiera_base_16x224") | {"q_pool": 2}
    reference = official_autoencoder(**arguments).state_dict()
    ours = MaskedAutoencoder(HieraConfig(**arguments)).state_dict()
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in reference.items()}
