"""Networks small enough to run in milliseconds."""

from typing import Any

from torch import nn

from hiera_cli.model.config import HieraConfig
from hiera_cli.model.hiera import Hiera
from tests.parity.official import VIDEO, enliven

SMALL: dict[str, Any] = {"embed_dim": 16, "num_classes": 5, "stages": (1, 1, 2, 1)}
IMAGE = HieraConfig(**SMALL | {"input_size": (64, 96)})
CLIP = HieraConfig(**VIDEO | SMALL | {"input_size": (4, 64, 64)})


def lively(model: nn.Module) -> nn.Module:
    """The model in eval mode with random weights that matter."""
    enliven(model, seed=1)
    return model.eval()


def lively_hiera(config: HieraConfig) -> Hiera:
    """A classifier in eval mode with random weights that matter."""
    model = Hiera(config)
    lively(model)
    return model
