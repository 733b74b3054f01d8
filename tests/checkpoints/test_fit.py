from dataclasses import replace
from pathlib import Path

import pytest
import torch

from hiera_cli.checkpoints.fit import check_fit, infer_config, recognise
from hiera_cli.checkpoints.zoo import ZOO, find_model
from hiera_cli.errors import WeightsError
from hiera_cli.model.config import HieraConfig
from hiera_cli.model.hiera import Hiera
from hiera_cli.model.mae import MaskedAutoencoder

Shapes = dict[str, tuple[int, ...]]
PATH = Path("w.pth")


def shapes_of(config: HieraConfig, network: type = Hiera) -> Shapes:
    with torch.device("meta"):
        state = network(config).state_dict()
    return {name: tuple(value.shape) for name, value in state.items()}


def model(name: str) -> HieraConfig:
    found = find_model(name)
    assert found is not None
    return found.config


BASE = shapes_of(model("hiera_base_16x224"))


@pytest.mark.parametrize("name", [m.name for m in ZOO if "huge" not in m.name])
def test_every_architecture_is_recognised(name: str) -> None:
    found = recognise(shapes_of(model(name)))
    assert found is not None
    assert found.name == name
    assert infer_config(found, shapes_of(model(name))) == model(name)


def test_an_autoencoder_is_recognised() -> None:
    shapes = shapes_of(model("hiera_base_16x224").for_pretraining(), MaskedAutoencoder)
    found = recognise(shapes)
    assert found is not None
    assert found.name == "hiera_base_16x224"


def test_classes_and_input_size_are_inferred() -> None:
    config = replace(model("hiera_base_16x224"), num_classes=174, input_size=(32, 256, 256))
    found = recognise(shapes_of(config))
    assert found is not None
    assert infer_config(found, shapes_of(config)) == config


def test_other_networks_are_not_recognised() -> None:
    assert recognise({}) is None
    assert recognise({"conv1.weight": (64, 3, 7, 7)}) is None
    assert recognise(shapes_of(replace(model("hiera_tiny_224"), stages=(1, 1, 1, 1)))) is None


def refusal(found: Shapes, *, need_head: bool = True) -> WeightsError:
    with pytest.raises(WeightsError) as caught:
        check_fit(found, BASE, path=PATH, name="hiera_base_16x224", need_head=need_head)
    assert "\n" not in caught.value.message
    return caught.value


def test_what_fits_passes() -> None:
    check_fit(BASE, BASE, path=PATH, name="x", need_head=True)


def test_missing_weights_are_named_up_to_three() -> None:
    error = refusal({k: v for k, v in BASE.items() if "norm1" not in k})
    assert (
        "48 missing (blocks.0.norm1.weight, blocks.0.norm1.bias, blocks.1.norm1.weight, …)"
        in error.message
    )


def test_unknown_weights_are_named() -> None:
    error = refusal(BASE | {"evil\x1b[31m": (1,)})
    assert "1 unknown ('evil\\x1b[31m')" in error.message


def test_wrong_shapes_are_named() -> None:
    error = refusal(BASE | {"norm.bias": (5,), "norm.weight": (5,)})
    assert "2 of another shape (norm.weight is [5], not [768]; also norm.bias)" in error.message


def test_weights_of_another_model_are_told_apart() -> None:
    error = refusal(shapes_of(model("hiera_base_plus_16x224")))
    assert "use -m hiera_base_plus_16x224 --weights w.pth" in error.hint
    assert "hiera_base_224" in refusal(shapes_of(model("hiera_base_224"))).hint


def test_another_layout_is_told_apart() -> None:
    error = refusal({"hiera.embeddings.patch_embeddings.projection.weight": (96, 3, 7, 7)})
    assert "no Hiera weights" in error.message
    assert "hiera-*-hf" in error.hint


def test_an_autoencoder_fits_where_no_head_is_needed() -> None:
    shapes = shapes_of(model("hiera_base_16x224").for_pretraining(), MaskedAutoencoder)
    check_fit(shapes, BASE, path=PATH, name="x", need_head=False)
    assert "norm.weight" in refusal(shapes).message
