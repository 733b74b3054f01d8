"""The official implementation as a reference: hiera-transformer 0.1.4, with lively weights."""

import importlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

VIDEO: dict[str, Any] = {
    "input_size": (16, 224, 224),
    "num_classes": 400,
    "q_stride": (1, 2, 2),
    "mask_unit_size": (1, 8, 8),
    "patch_kernel": (3, 7, 7),
    "patch_stride": (2, 4, 4),
    "patch_padding": (1, 3, 3),
    "sep_pos_embed": True,
}
WIDTHS: dict[str, dict[str, Any]] = {
    "tiny": {"embed_dim": 96, "num_heads": 1, "stages": (1, 2, 7, 2)},
    "small": {"embed_dim": 96, "num_heads": 1, "stages": (1, 2, 11, 2)},
    "base": {"embed_dim": 96, "num_heads": 1, "stages": (2, 3, 16, 3)},
    "base_plus": {"embed_dim": 112, "num_heads": 2, "stages": (2, 3, 16, 3)},
    "large": {"embed_dim": 144, "num_heads": 2, "stages": (2, 6, 36, 4)},
    "huge": {"embed_dim": 256, "num_heads": 4, "stages": (2, 6, 36, 4)},
}
ARCHITECTURES: dict[str, dict[str, Any]] = {
    **{f"hiera_{size}_224": shape for size, shape in WIDTHS.items()},
    **{
        f"hiera_{size}_16x224": VIDEO | WIDTHS[size]
        for size in ("base", "base_plus", "large", "huge")
    },
}


SMALL = {"stages": (1, 1, 2, 1), "num_classes": 17}


def reduced(name: str) -> dict[str, Any]:
    """The architecture's widths and heads, with few blocks and a small input."""
    size = (4, 64, 96) if "16x" in name else (64, 96)
    return ARCHITECTURES[name] | SMALL | {"input_size": size}


def official_module(name: str) -> Any:
    """`hiera.hiera` or `hiera.hiera_mae`; its import of timm.models.layers warns."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Importing from timm.models.layers", FutureWarning)
        return importlib.import_module(name)


def official_hiera(**arguments: Any) -> nn.Module:
    """The official classifier; its weights are whatever lay in memory: call `enliven` next."""
    with without_initialisation():
        model: nn.Module = official_module("hiera.hiera").Hiera(**arguments)
    return model


def official_autoencoder(**arguments: Any) -> nn.Module:
    """The official masked autoencoder; its weights are whatever lay in memory: `enliven` them."""
    with without_initialisation():
        model: nn.Module = official_module("hiera.hiera_mae").MaskedAutoencoderHiera(**arguments)
    return model


@contextmanager
def without_initialisation() -> Iterator[None]:
    """Leave out the costly random initialisation of weights that are overwritten anyway."""
    with (
        mock.patch.object(nn.init, "trunc_normal_"),
        mock.patch.object(nn.init, "xavier_uniform_"),
        mock.patch.object(nn.init, "kaiming_uniform_"),
    ):
        yield


@torch.no_grad()
def enliven(model: nn.Module, *, seed: int) -> None:
    """Random weights that let a difference anywhere reach the output, the head included."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if "embed" in name and "proj" not in name:
            parameter.copy_(noise * 0.5)
        elif parameter.ndim > 1:
            parameter.copy_(noise * parameter[0].numel() ** -0.5)
        else:
            parameter.copy_(noise * 0.1 + ("norm" in name and name.endswith("weight")))


def deviation(ours: Tensor, reference: Tensor) -> float:
    """Largest absolute difference over the largest absolute value."""
    assert ours.shape == reference.shape
    return ((ours - reference).abs().max() / reference.abs().max()).item()
