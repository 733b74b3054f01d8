"""What a model's name stands for: a zoo entry, a folder or a file, with its config and labels."""

import os
from dataclasses import dataclass
from pathlib import Path

from hiera_cli.checkpoints.file import WeightsFile, open_weights
from hiera_cli.checkpoints.fit import infer_config, recognise, with_classes
from hiera_cli.checkpoints.folder import (
    CONFIG_NAME,
    WEIGHT_SUFFIXES,
    find_weights,
    is_of_timm,
    read_folder_config,
)
from hiera_cli.checkpoints.labels import known_labels, numbered_labels
from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.checkpoints.zoo import (
    BUNDLED_MODEL,
    Checkpoint,
    ZooModel,
    bundled_folder,
    unknown_model,
)
from hiera_cli.errors import UsageError, WeightsError
from hiera_cli.model.config import HieraConfig


@dataclass(frozen=True)
class Source:
    """A model before its weights are read.

    Attributes:
        checkpoint: official checkpoint, or the file's name where the weights are somebody's own.
        file: the opened weights.
        labels: one name per class of `config`.
        has_head: whether the weights hold a trained head.
        multi_label: whether each class is scored by itself.
    """

    name: str
    checkpoint: str
    file: WeightsFile
    config: HieraConfig
    preprocessing: Preprocessing
    labels: tuple[str, ...]
    has_head: bool
    multi_label: bool = False


def official_source(
    model: ZooModel, checkpoint: Checkpoint, path: Path, *, own_weights: bool
) -> Source:
    """A zoo model with the weights in a file: the official ones, or somebody's own.

    Raises:
        WeightsError: the file is not a readable weights file.
    """
    file = open_weights(path)
    config = with_classes(model.config, file.shapes)
    return Source(
        name=model.name,
        checkpoint=path.name if own_weights else checkpoint.name,
        file=file,
        config=config,
        preprocessing=model.preprocessing,
        labels=known_labels(checkpoint.labels, config.num_classes),
        # the Hub's files of masked autoencoders may hold a head that nobody trained
        has_head=checkpoint.has_head and file.has_head,
    )


def local_source(name: str, weights: Path | None) -> Source:
    """The bundled model, a model folder, or a weights file.

    Raises:
        UsageError: nothing is called that.
        WeightsError: it is there but not usable, or looks like a path and is not there.
    """
    path = bundled_folder() if name == BUNDLED_MODEL else Path(name)
    if os.path.isdir(path):  # noqa: PTH112 - unlike Path, never raises for a strange name
        return _folder_source(path, weights)
    if os.path.exists(path):  # noqa: PTH110
        if weights is not None:
            raise UsageError(f"two weights files given: {name} and {weights}")
        return _file_source(path)
    if name == BUNDLED_MODEL:
        raise WeightsError("this installation lacks the bundled model", hint="install it again")
    if path.suffix in WEIGHT_SUFFIXES or "/" in name or "\\" in name:
        raise WeightsError(f"model {name} does not exist", hint="`hiera models list` shows names")
    raise unknown_model(name)


def _folder_source(folder: Path, weights: Path | None) -> Source:
    path = weights or find_weights(folder)
    if is_of_timm(folder / CONFIG_NAME):
        return _file_source(path)
    return _configured_source(path, folder / CONFIG_NAME, name=folder.resolve().name)


def _file_source(path: Path) -> Source:
    """A lone file: described by the `config.json` beside it, else by its shapes."""
    beside = path.parent / CONFIG_NAME
    file = open_weights(path)
    model = recognise(file.shapes)
    if beside.exists() and not is_of_timm(beside):
        return _configured_source(path, beside, name=path.stem)
    if model is None:
        raise WeightsError(
            f"{path} is none of the official architectures, and no {CONFIG_NAME} lies beside it",
            hint="give the architecture with -m NAME --weights FILE, or add its config.json",
        )
    config = infer_config(model, file.shapes)
    return Source(
        name=model.name,
        checkpoint=path.name,
        file=file,
        config=config,
        preprocessing=Preprocessing.for_config(config),
        labels=known_labels(model.checkpoints[0].labels, config.num_classes),
        has_head=file.has_head,
    )


def _configured_source(path: Path, config_path: Path, *, name: str) -> Source:
    described = read_folder_config(config_path)
    file = open_weights(path)
    config = with_classes(described.config, file.shapes)
    if described.states_classes and config != described.config:
        raise WeightsError(
            f"{config_path} says {described.config.num_classes} classes, "
            f"{path.name} has {config.num_classes}",
            hint="correct num_classes, or use the weights that belong to this configuration",
        )
    labels = described.labels or numbered_labels(config.num_classes)
    if len(labels) != config.num_classes:
        raise WeightsError(
            f"{config_path} has {len(labels)} labels for {config.num_classes} classes",
            hint="correct its labels, or replace them with --labels FILE",
        )
    return Source(
        name=described.name or name,
        checkpoint=path.name,
        file=file,
        config=config,
        preprocessing=described.preprocessing or Preprocessing.for_config(config),
        labels=labels,
        has_head=file.has_head,
        multi_label=described.multi_label,
    )
