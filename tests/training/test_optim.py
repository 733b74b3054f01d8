from dataclasses import replace

import pytest
import torch

from hiera_cli.model.config import HieraConfig
from hiera_cli.model.hiera import Hiera
from hiera_cli.model.mae import MaskedAutoencoder
from hiera_cli.training.optim import layer_of, lr_at, make_optimizer, parameter_groups, set_lr
from hiera_cli.training.recipe import FinetuneChanges
from hiera_cli.training.recipes import FINETUNE
from tests.training.media import CONFIG

RECIPE = FINETUNE[True, "base"]


@pytest.fixture(scope="module")
def config() -> HieraConfig:
    return HieraConfig.from_dict(CONFIG)


def test_learning_rate_warms_up_then_falls_along_a_cosine() -> None:
    rates = [lr_at(s, num_steps=20, warmup_steps=4, lr=1.0, min_lr=0.1) for s in range(21)]
    assert rates[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert rates[12] == pytest.approx(0.55)  # half-way
    assert rates[20] == pytest.approx(0.1)
    assert rates[4:] == sorted(rates[4:], reverse=True)


def test_learning_rate_without_warm_up() -> None:
    assert lr_at(0, num_steps=1, warmup_steps=0, lr=0.5, min_lr=0.0) == 0.5


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("patch_embed.proj.weight", 0),
        ("pos_embed_spatial", 0),
        ("blocks.0.attn.qkv.weight", 1),
        ("blocks.3.norm1.bias", 4),
        ("norm.weight", 5),
        ("head.projection.weight", 5),
    ],
)
def test_depth_of_parameters(name: str, layer: int) -> None:
    assert layer_of(name, num_blocks=4) == layer


def test_position_embeddings_may_have_a_factor_of_their_own(config: HieraConfig) -> None:
    model = Hiera(config)
    groups = parameter_groups(
        model, num_blocks=4, layer_decay=0.5, weight_decay=0.05, position_lr=0.25
    )
    scales = {id(p): g["lr_scale"] for g in groups for p in g["params"]}
    assert scales[id(model.pos_embed_spatial)] == 0.25
    assert scales[id(model.patch_embed.proj.weight)] == 0.5**5
    optimizer = make_optimizer(model, replace(RECIPE, position_lr=0.25), num_blocks=4)
    assert 0.25 in {group["lr_scale"] for group in optimizer.param_groups}


def test_every_parameter_is_in_one_group_with_its_scale(config: HieraConfig) -> None:
    model = Hiera(config)
    groups = parameter_groups(model, num_blocks=4, layer_decay=0.5, weight_decay=0.05)
    found = {id(p): g for g in groups for p in g["params"]}
    assert len(found) == sum(len(g["params"]) for g in groups) == len(list(model.parameters()))
    expected = {
        "patch_embed.proj.weight": (0.5**5, 0.05),
        "patch_embed.proj.bias": (0.5**5, 0.0),
        "pos_embed_spatial": (0.5**5, 0.0),
        "blocks.0.mlp.fc1.weight": (0.5**4, 0.05),
        "blocks.3.norm2.weight": (0.5, 0.0),
        "head.projection.weight": (1.0, 0.05),
    }
    parameters = dict(model.named_parameters())
    for name, (scale, decay) in expected.items():
        group = found[id(parameters[name])]
        assert (group["lr_scale"], group["weight_decay"]) == (scale, decay), name


def test_frozen_parameters_are_left_out(config: HieraConfig) -> None:
    model = Hiera(config).requires_grad_(False)
    model.head.requires_grad_(True)
    groups = parameter_groups(model, num_blocks=4, layer_decay=1.0, weight_decay=0.05)
    assert sum(len(g["params"]) for g in groups) == 2


def test_set_lr_scales_every_group(config: HieraConfig) -> None:
    optimizer = make_optimizer(Hiera(config), replace(RECIPE, layer_decay=0.5), num_blocks=4)
    set_lr(optimizer, 0.8)
    assert isinstance(optimizer, torch.optim.AdamW)
    assert {g["lr"] for g in optimizer.param_groups} == {0.8 * 0.5**k for k in range(6)}


def test_sgd_has_momentum(config: HieraConfig) -> None:
    recipe = RECIPE.changed(FinetuneChanges(optimizer="sgd"))
    optimizer = make_optimizer(
        MaskedAutoencoder(config.for_pretraining(), 16, 1, 2), recipe, num_blocks=4
    )
    assert isinstance(optimizer, torch.optim.SGD)
    assert optimizer.param_groups[0]["momentum"] == 0.9
