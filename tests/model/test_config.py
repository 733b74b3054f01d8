import json
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hiera_cli.errors import WeightsError
from hiera_cli.model.config import MAX_PARAMETERS, HieraConfig
from hiera_cli.model.hiera import Hiera
from tests.parity.official import ARCHITECTURES

PAPER_MILLIONS = {  # arXiv 2306.00989, tables 2 and 4
    "hiera_tiny_224": 28,
    "hiera_small_224": 35,
    "hiera_base_224": 52,
    "hiera_base_plus_224": 70,
    "hiera_large_224": 214,
    "hiera_huge_224": 673,
    "hiera_base_16x224": 51,
    "hiera_base_plus_16x224": 69,
    "hiera_large_16x224": 213,
    "hiera_huge_16x224": 672,
}


@pytest.mark.parametrize(("name", "millions"), PAPER_MILLIONS.items())
def test_number_of_parameters_is_the_papers(name, millions):
    config = HieraConfig(**ARCHITECTURES[name])
    with torch.device("meta"):
        model = Hiera(config)
    assert config.num_parameters == sum(p.numel() for p in model.parameters())
    assert abs(config.num_parameters / 1e6 - millions) < 1


def test_blocks_of_base():
    blocks = HieraConfig().blocks()
    assert len(blocks) == 24
    assert [b.dim_out for b in blocks] == [96] * 2 + [192] * 3 + [384] * 16 + [768] * 3
    assert [b.num_heads for b in blocks] == [1] * 2 + [2] * 3 + [4] * 16 + [8] * 3
    assert [i for i, b in enumerate(blocks) if b.pool == 4] == [2, 5, 21]
    # The first block of a stage attends as the stage before it.
    assert [b.unit_attention for b in blocks] == [True] * 6 + [False] * 18


def test_pretraining_leaves_out_the_last_pooling():
    blocks = HieraConfig().for_pretraining().blocks()
    assert [i for i, b in enumerate(blocks) if b.pool == 4] == [2, 5]
    assert blocks[21].dim_out == 768


def test_drop_path_grows_linearly():
    rates = [b.drop_path for b in HieraConfig(drop_path_rate=0.23).blocks()]
    assert rates[0] == 0
    assert rates[-1] == pytest.approx(0.23)
    assert rates[10] == pytest.approx(0.1)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_json_round_trip(name):
    config = HieraConfig(**ARCHITECTURES[name])
    text = json.dumps(config.to_dict() | {"labels": ["a"], "norm_layer": "LayerNorm"})
    assert HieraConfig.from_dict(json.loads(text)) == config
    assert not {"head_stages", "bank_size", "num_neighbours", "expand_proj"} & set(config.to_dict())


def test_json_keeps_what_a_fitted_head_sees():
    config = HieraConfig(head_stages=(2, 3))
    assert config.head_dim == 192 + 384 + 768
    assert HieraConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert config.for_pretraining().head_stages == ()


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("embed_dim", True, "not a whole number"),
        ("embed_dim", "96", "not a whole number"),
        ("embed_dim", 96.0, "not a whole number"),
        ("embed_dim", 0, "not between"),
        ("embed_dim", 10**30, "not between"),
        ("embed_dim", 16384, "parameters"),
        ("num_heads", 7, "does not divide"),
        ("num_classes", -1, "not between"),
        ("num_classes", None, "not a whole number"),
        ("q_pool", 4, "not between"),
        ("stages", (2, 3, 16), "needs 4 values"),
        ("stages", (2, 3, 16, 0), "not between"),
        ("stages", "2316", "not a list"),
        ("stages", (2, 3, 16, (3,)), "not a whole number"),
        ("head_stages", (0,), "not between"),
        ("head_stages", (4,), "not between"),
        ("head_stages", (3, 2), "not ascending"),
        ("head_stages", (2, 2), "not ascending"),
        ("head_stages", (1, 2, 3, 1), "needs 0 or 1 or 2 or 3 values"),
        ("head_stages", 2, "not a list"),
        ("input_size", (224,), "needs 2 or 3 values"),
        ("input_size", (250, 224), "whole mask units"),
        ("input_size", (8192, 8192), "tokens"),
        ("q_stride", (1, 2, 2), "needs 2 values"),
        ("mask_unit_size", (4, 8), "not divisible"),
        ("mask_unit_attn", (1, 1, 0, 0), "not true or false"),
        ("patch_kernel", (12, 12), "one token per stride"),
        ("patch_stride", (0, 4), "not between"),
        ("dim_mul", float("nan"), "not between"),
        ("dim_mul", 1e9, "not between"),
        ("mlp_ratio", "4", "not a number"),
        ("mlp_ratio", False, "not a number"),
        ("drop_path_rate", 1.0, "not between"),
        ("norm_eps", 0, "not between"),
        ("sep_pos_embed", "yes", "not true or false"),
    ],
)
def test_refusals_name_field_and_value(field, value, reason):
    arguments = HieraConfig().to_dict() | {field: value}
    with pytest.raises(WeightsError, match=reason) as caught:
        HieraConfig.from_dict(arguments)
    assert f": {field} = " in caught.value.message
    assert caught.value.hint


def test_size_refusal_says_what_fits():
    with pytest.raises(WeightsError) as caught:
        replace(HieraConfig(**ARCHITECTURES["hiera_base_16x224"]), input_size=(16, 225, 224))
    assert caught.value.hint == "use multiples of 2 x 32 x 32"


def test_a_long_value_is_shown_short():
    with pytest.raises(WeightsError) as caught:
        HieraConfig.from_dict({"stages": [1] * 1_000_000})
    assert len(caught.value.message) < 200


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(1, 4096)
    | st.floats()
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(HieraConfig().to_dict())), values, max_size=4))
def test_any_json_is_accepted_or_refused(changes):
    try:
        config = HieraConfig.from_dict(HieraConfig().to_dict() | changes)
    except WeightsError:
        return
    assert 0 < config.num_parameters <= MAX_PARAMETERS
