"""Exports on disk: where they lie, and the record of how each was checked.

An export is a folder: the model in another runtime's format, and `export.json`. `hiera export`
keeps it in the cache under the hash of the weights, where `--backend` finds it again.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from importlib.util import find_spec
from pathlib import Path

from hiera_cli.checkpoints.download import cache_folder
from hiera_cli.exports.variants import RUNNABLE, Variant
from hiera_cli.files import write_text
from hiera_cli.machine import machine_name

RECORD_NAME = "export.json"
HASH_DIGITS = 16


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


def export_folder(weights_sha256: str, variant: Variant, *, cache_dir: str | None = None) -> Path:
    """Where the cache keeps an export of these weights."""
    return cache_folder(cache_dir) / "exports" / weights_sha256[:HASH_DIGITS] / variant.name


def write_record(folder: Path, record: ExportRecord) -> None:
    """Write `export.json` into the folder of an export."""
    write_text(folder / RECORD_NAME, json.dumps(asdict(record), indent=2) + "\n")


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
