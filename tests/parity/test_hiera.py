from typing import Any

import pytest
import torch

from hiera_cli.model.config import HieraConfig
from hiera_cli.model.hiera import Hiera
from tests.parity.official import ARCHITECTURES, deviation, enliven, official_hiera

TOLERANCE = 1e-5
SMALL_VIDEO = {"input_size": (4, 64, 96), "stages": (1, 2, 2, 1), "num_classes": 17}
SMALL_IMAGE = {"input_size": (64, 96), "stages": (1, 2, 2, 1), "num_classes": 17}


def reduced(name: str) -> dict[str, Any]:
    """The architecture's widths and heads at a small input with few blocks."""
    arguments = ARCHITECTURES[name]
    return arguments | (SMALL_VIDEO if "sep_pos_embed" in arguments else SMALL_IMAGE)


def pair(arguments: dict[str, Any]) -> tuple[torch.nn.Module, Hiera]:
    reference = official_hiera(**arguments).train()  # in eval mode its head is a softmax
    enliven(reference, seed=1)
    ours = Hiera(HieraConfig(**arguments)).train()
    ours.load_state_dict(reference.state_dict())
    return reference, ours


def compare_forward(arguments: dict[str, Any], *, batch: int) -> dict[str, float]:
    reference, ours = pair(arguments)
    x = torch.randn(batch, 3, *arguments.get("input_size", (224, 224)))
    with torch.no_grad():
        pooled = []
        reference.head.register_forward_pre_hook(lambda _, inputs: pooled.append(inputs[0]))
        logits, stages = reference(x, return_intermediates=True)
        figures = {
            "logits": deviation(ours(x), logits),
            "features": deviation(ours.forward_features(x), pooled[0]),
        }
        for index, (mine, theirs) in enumerate(zip(ours.forward_stages(x), stages, strict=True)):
            figures[f"stage{index + 1}"] = deviation(mine, theirs)
    return figures


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_forward_equals_official(name):
    torch.manual_seed(0)
    figures = compare_forward(reduced(name), batch=2)
    assert max(figures.values()) < TOLERANCE, figures


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_full_forward_equals_official(name):
    torch.manual_seed(0)
    figures = compare_forward(ARCHITECTURES[name], batch=1)
    assert max(figures.values()) < TOLERANCE, figures
