"""Exported models on disk: which variants there are, where they lie, and what was verified.

An export is a folder: the model in another runtime's format, and `export.json`, the record of how
it was checked. `hiera export` keeps it in the cache under the hash of the weights, where
`--backend` finds it again.
"""

import json
import os
import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy.typing as npt
import torch

from hiera_cli.checkpoints.download import cache_folder
from hiera_cli.errors import UsageError

RECORD_NAME = "export.json"
PROGRAM_NAME = "model.pt2"
HASH_DIGITS = 16

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


@dataclass(frozen=True, slots=True)
class ExportRecord:
    """What was exported and how it did against PyTorch.

    Attributes:
        model: name and checkpoint.
        weights_sha256: of the weights file.
        variant: name of the `Variant`.
        num_clips: clips that were compared.
        deviation: largest difference of logits or features over the largest value, both in
            eager PyTorch on the same pixels.
        feature_cosine: smallest cosine between features.
        top1_agreement: share of clips with the same most probable class.
        seconds, eager_seconds: median time of one view, alternating, on this machine.
        machine, versions: where and with what it was verified.
    """

    model: str
    weights_sha256: str
    variant: str
    num_clips: int
    deviation: float
    feature_cosine: float
    top1_agreement: float
    seconds: float
    eager_seconds: float
    machine: str
    versions: dict[str, str]


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


def export_folder(weights_sha256: str, variant: Variant, *, cache_dir: str | None = None) -> Path:
    """Where the cache keeps an export of these weights."""
    return cache_folder(cache_dir) / "exports" / weights_sha256[:HASH_DIGITS] / variant.name


def write_record(folder: Path, record: ExportRecord) -> None:
    """Write `export.json` into the folder of an export."""
    (folder / RECORD_NAME).write_text(json.dumps(asdict(record), indent=2) + "\n")


def read_record(folder: Path) -> ExportRecord | None:
    """The record of an export; None when there is none that can be read."""
    try:
        values = json.loads((folder / RECORD_NAME).read_text())
        return ExportRecord(**{field.name: values[field.name] for field in fields(ExportRecord)})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def verified_exports(
    weights_sha256: str, *, cache_dir: str | None = None
) -> Iterator[ExportRecord]:
    """Records of exact (not int8) exports that were verified here and can run now."""
    for variant in RUNNABLE.values():
        record = read_record(export_folder(weights_sha256, variant, cache_dir=cache_dir))
        if record is None or variant.int8 or any(find_spec(n) is None for n in variant.packages):
            continue
        if record.weights_sha256 == weights_sha256 and record.machine == machine_name():
            yield record


def open_export(folder: Path, variant: Variant, *, takes: InputType = "float32") -> Forward:
    """The function that an export is, on as many threads as PyTorch uses.

    Args:
        folder: of the export.
        variant: which runtime it is for.
        takes: the pixels that it will be given. Exports take uint8; resized frames are not whole
            numbers, so that our backends have the same graph take float32.
    """
    threads = torch.get_num_threads()
    if variant.format == "onnx":
        from hiera_cli.extras.onnx import open_onnx

        return open_onnx(folder, takes=takes, threads=threads)
    if variant.format == "openvino":
        from hiera_cli.extras.openvino import open_openvino

        return open_openvino(folder, takes=takes, threads=threads)
    module = torch.export.load(folder / PROGRAM_NAME).module()

    def forward(pixels: Array) -> tuple[Array, Array]:
        logits, features = module(torch.from_numpy(pixels))
        return logits.numpy(force=True), features.numpy(force=True)

    return forward


def machine_name() -> str:
    """Processor and number of cores, such as `AMD EPYC 7763, 8 cores`."""
    processor = next(_processor_names(), platform.processor() or platform.machine())
    return f"{processor}, {os.cpu_count()} cores"


def _processor_names() -> Iterator[str]:
    """Model names that Linux states; nothing elsewhere."""
    lines: Iterable[str] = ()
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            yield value.strip()
