"""The ways to export a model: a table of variants, and the types that cross their boundary."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

import numpy.typing as npt

from hiera_cli.errors import UsageError

Array = npt.NDArray[Any]
InputType = Literal["uint8", "float32"]
Forward = Callable[[Array], tuple[Array, Array]]
"""Pixels (B, 3, T, H, W) or (B, 3, H, W) in 0..255 -> logits (B, K), features (B, D), float32."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to export a model.

    Attributes:
        name: as in `--backend`, and the name of the folder.
        format: as in `--format`.
        int8: whether weights and activations are quantised.
        extra: which optional dependencies it needs.
        packages: their modules.
        runs: whether there is a backend for it.
    """

    name: str
    format: str
    int8: bool = False
    extra: str = ""
    packages: tuple[str, ...] = ()
    runs: bool = True


VARIANTS = (
    Variant("onnx", "onnx", extra="onnx", packages=("onnx", "onnxscript", "onnxruntime")),
    Variant("openvino", "openvino", extra="openvino", packages=("openvino",)),
    Variant(
        "openvino-int8", "openvino", int8=True, extra="openvino", packages=("openvino", "nncf")
    ),
    Variant("torch-export", "torch-export", runs=False),
)
RUNNABLE = {variant.name: variant for variant in VARIANTS if variant.runs}


def find_variant(format_name: str, *, int8: bool) -> Variant:
    """The variant of a `--format` and `--int8`, with its packages installed.

    Raises:
        UsageError: there is no such variant, or a package that it needs is missing.
    """
    for variant in VARIANTS:
        if (variant.format, variant.int8) == (format_name, int8):
            require_packages(variant)
            return variant
    formats = sorted({v.format for v in VARIANTS if v.int8 or not int8})
    what = f"int8 '{format_name}'" if int8 else f"'{format_name}'"
    raise UsageError(f"cannot export {what}", hint=f"use --format {' or '.join(formats)}")


def require_packages(variant: Variant) -> None:
    """Refuse a variant whose packages are not installed.

    Raises:
        UsageError: a package is missing; the hint says how to get it.
    """
    missing = [name for name in variant.packages if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"{variant.name} needs {', '.join(missing)}",
            hint=f"pip install 'hiera-cli[{variant.extra}]'",
        )
