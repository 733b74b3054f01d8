from dataclasses import replace

import pytest
import torch

from hiera_cli.errors import WeightsError
from hiera_cli.model.mae import MaskedAutoencoder
from hiera_cli.model.resize import interpolate_positions, resized
from tests.model.networks import CLIP, IMAGE, lively_hiera


def test_same_size_is_the_same_network():
    model = lively_hiera(CLIP)
    x = torch.randn(1, 3, 4, 64, 64)
    assert torch.equal(resized(model, (4, 64, 64))(x), model(x))


@pytest.mark.parametrize(
    ("config", "size"),
    [
        (IMAGE, (96, 32)),
        (CLIP, (8, 96, 64)),
        (CLIP, (2, 64, 128)),
        (replace(CLIP, sep_pos_embed=False), (6, 32, 96)),
    ],
)
def test_resized_network_runs(config, size):
    model = lively_hiera(config)
    model.labels = ("a", "b", "c", "d", "e")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    other = resized(model, size)
    assert other.config.input_size == size
    assert other.labels == model.labels
    assert not other.training
    assert other(torch.randn(2, 3, *size)).shape == (2, 5)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    assert all(torch.equal(model.state_dict()[name], before[name]) for name in before)


def test_a_ramp_stays_a_ramp():
    wanted = replace(CLIP, input_size=(8, 128, 64))
    ramp = torch.linspace(0, 1, 16).view(1, 16, 1, 1).expand(1, 16, 16, 16).reshape(1, 256, 16)
    state = {
        "pos_embed_spatial": ramp,
        "pos_embed_temporal": torch.tensor([0.0, 1.0]).view(1, 2, 1).expand(1, 2, 16),
        "norm.weight": torch.ones(3),
    }
    new = interpolate_positions(state, CLIP, wanted)
    rows = new["pos_embed_spatial"].view(32, 16, 16)
    centers = ((torch.arange(32) + 0.5) / 2 - 0.5) / 15
    inside = slice(4, -4)  # the bicubic kernel repeats the border
    assert (rows[inside, 0, 0] - centers[inside]).abs().max() < 1e-6
    torch.testing.assert_close(rows[:, :1].expand(32, 16, 16), rows)
    assert new["pos_embed_temporal"][0, :, 0].tolist() == [0.0, 0.25, 0.75, 1.0]
    assert new["norm.weight"] is state["norm.weight"]


def test_the_decoders_positions_follow():
    wanted = replace(CLIP.for_pretraining(), input_size=(8, 96, 64))
    small = MaskedAutoencoder(CLIP.for_pretraining(), 32, 1, 4)
    large = MaskedAutoencoder(wanted, 32, 1, 4)
    state = interpolate_positions(small.state_dict(), small.config, wanted)
    large.load_state_dict(state)
    assert large.decoder_pos_embed.shape == (1, 4 * 6 * 4, 32)


def test_a_size_that_mask_units_do_not_fill():
    with pytest.raises(WeightsError, match="whole mask units") as caught:
        resized(lively_hiera(CLIP), (4, 80, 64))
    assert caught.value.hint == "use multiples of 2 x 32 x 32"
