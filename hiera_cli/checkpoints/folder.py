"""The `config.json` of a model folder, read without trusting it and written atomically.

It holds the constructor's arguments, as the official repositories have it, and beside them
optionally `labels` (a list) or `id2label`, `preprocessing`, `name`, and whatever a training run
wants to remember.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hiera_cli.checkpoints.labels import labels_from_config, parse_json, read_small_text
from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.errors import WeightsError
from hiera_cli.files import write_text
from hiera_cli.inputs import printable
from hiera_cli.model.config import HieraConfig

CONFIG_NAME = "config.json"
WEIGHTS_NAME = "model.safetensors"
WEIGHT_SUFFIXES = (".safetensors", ".pth", ".pt")


@dataclass(frozen=True)
class FolderConfig:
    """What a `config.json` says.

    Attributes:
        states_classes: whether the number of classes stands there (else the weights decide).
        labels, preprocessing, name: None where the file does not say.
        multi_label: whether each class is scored by itself, with a sigmoid.
    """

    config: HieraConfig
    states_classes: bool
    labels: tuple[str, ...] | None
    preprocessing: Preprocessing | None
    name: str | None
    multi_label: bool = False


def read_folder_config(path: Path) -> FolderConfig:
    """Read and check a `config.json`.

    Raises:
        WeightsError: not readable, not JSON, or a value of the wrong type or out of range.
    """
    values = _read_object(path)
    try:
        return FolderConfig(
            config=HieraConfig.from_dict(values),
            states_classes="num_classes" in values,
            labels=_read_labels(values),
            preprocessing=_read_preprocessing(values),
            name=_read_name(values),
            multi_label=_read_multi_label(values),
        )
    except (WeightsError, ValueError) as error:
        raise WeightsError(f"{path}: {error}", hint=getattr(error, "hint", "")) from error


def is_of_timm(path: Path) -> bool:
    """Whether a `config.json` is timm's, which names the architecture and does not describe it."""
    try:
        values = parse_json(read_small_text(path, WeightsError))
    except (WeightsError, ValueError):
        return False
    return isinstance(values, dict) and "architecture" in values and "embed_dim" not in values


def find_weights(folder: Path) -> Path:
    """The weights file of a model folder; `model.safetensors` where there are several.

    Raises:
        WeightsError: none, or several and none of that name.
    """
    preferred = folder / WEIGHTS_NAME
    if preferred.exists():
        return preferred
    found = [path for path in sorted(folder.iterdir()) if path.suffix in WEIGHT_SUFFIXES]
    if len(found) != 1:
        what = "no weights file" if not found else f"{len(found)} weights files"
        raise WeightsError(
            f"{folder} holds {what}",
            hint=f"a model folder holds {CONFIG_NAME} and {WEIGHTS_NAME}",
        )
    return found[0]


def write_folder_config(
    folder: Path,
    config: HieraConfig,
    *,
    labels: tuple[str, ...],
    preprocessing: Preprocessing,
    extra: Mapping[str, Any],
) -> None:
    """Write `config.json`, whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    values = {
        "name": folder.name,
        **extra,
        **config.to_dict(),
        **({"labels": list(labels)} if labels else {}),  # a masked autoencoder knows no classes
        "preprocessing": preprocessing.to_dict(),
    }
    text = json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_text(folder / CONFIG_NAME, text)


def _read_object(path: Path) -> dict[str, Any]:
    text = read_small_text(path, WeightsError)
    try:
        values = parse_json(text)
    except ValueError as error:
        raise WeightsError(f"{path} is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise WeightsError(f"{path} is not a JSON object")
    if values.get("norm_layer", "LayerNorm") != "LayerNorm":
        raise WeightsError(f"{path}: norm_layer is not LayerNorm, the only one there is")
    if "embed_dim" not in values:
        raise WeightsError(
            f"{path} has no embed_dim: not the configuration of a Hiera network",
            hint="transformers' hiera-*-hf ports are not read; take the official repository",
        )
    return values


def _read_labels(values: Mapping[str, Any]) -> tuple[str, ...] | None:
    found = values.get("labels", values.get("id2label"))
    return None if found is None else labels_from_config(found)


def _read_preprocessing(values: Mapping[str, Any]) -> Preprocessing | None:
    found = values.get("preprocessing")
    return None if found is None else Preprocessing.from_dict(found)


def _read_multi_label(values: Mapping[str, Any]) -> bool:
    found = values.get("multi_label", False)
    if found not in (True, False):
        raise ValueError("multi_label is neither true nor false")
    return bool(found)


def _read_name(values: Mapping[str, Any]) -> str | None:
    name = values.get("name")
    if name is None:
        return None
    if not isinstance(name, str) or not 0 < len(name) <= 200:
        raise ValueError("name is not a short text")
    return printable(name)
