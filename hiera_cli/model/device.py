"""Where a model computes and in which precision: what `--device` and `--dtype` mean."""

import torch

from hiera_cli.errors import UsageError
from hiera_cli.options import check_device

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_device(name: str) -> torch.device:
    """The device that a `--device` value means; `auto` prefers CUDA, then MPS, then the CPU.

    Raises:
        UsageError: an unknown device, or one that this machine does not have.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    check_device(name)
    device = torch.device(name)
    available = {
        "cpu": 1,
        "cuda": torch.cuda.device_count(),
        "mps": int(torch.backends.mps.is_available()),
    }
    if (device.index or 0) >= available.get(device.type, 0):
        raise UsageError(f"device '{name}' is not on this machine", hint="use --device auto")
    return device


def choose_dtype(name: str, device: torch.device) -> torch.dtype:
    """The dtype that a `--dtype` value means; `auto` is float16 on CUDA, else float32.

    Raises:
        UsageError: an unknown dtype.
    """
    if name == "auto":
        return torch.float16 if device.type == "cuda" else torch.float32
    if name not in DTYPES:
        raise UsageError(f"unknown dtype '{name}'", hint=f"use auto, {', '.join(DTYPES)}")
    return DTYPES[name]


def dtype_name(dtype: torch.dtype) -> str:
    """A dtype as `--dtype` writes it."""
    return str(dtype).removeprefix("torch.")
