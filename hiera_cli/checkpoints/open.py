"""Models with their weights: open by name, folder or file; save to a folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import nn

from hiera_cli.checkpoints.download import fetch_checkpoint
from hiera_cli.checkpoints.file import available_memory_bytes
from hiera_cli.checkpoints.fit import check_fit
from hiera_cli.checkpoints.folder import WEIGHTS_NAME, write_folder_config
from hiera_cli.checkpoints.labels import read_labels
from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.checkpoints.sources import Source, local_source, official_source
from hiera_cli.checkpoints.transfer import Progress, file_sha256
from hiera_cli.checkpoints.zoo import find_checkpoint
from hiera_cli.errors import WeightsError
from hiera_cli.files import output_errors, write_bytes
from hiera_cli.model.config import HieraConfig
from hiera_cli.model.device import choose_device
from hiera_cli.model.hiera import Hiera


@dataclass(frozen=True)
class LoadedModel:
    """A network with its weights and all that is needed to use it.

    Attributes:
        model: in eval mode, on the device and in the dtype asked for.
        name: zoo name, or what the folder or file calls itself.
        labels: one name per class; empty when the head is not trained.
        weights_path: the file that was read; None for random weights.
        checkpoint: official checkpoint, or the file's name where the weights are somebody's own.
        has_head: whether there is a trained head; without one `model.forward` gives zeros.
        multi_label: whether scores are a sigmoid of each logit, not a softmax over them.
    """

    model: Hiera
    name: str
    preprocessing: Preprocessing
    labels: tuple[str, ...]
    weights_path: Path | None
    checkpoint: str
    has_head: bool = True
    multi_label: bool = False

    @cached_property
    def weights_sha256(self) -> str:
        """Hash of the weights file, empty for random weights; computed when somebody asks.

        Reading 2.7 GB again for it takes seconds, and `classify` never needs it.
        """
        return file_sha256(self.weights_path) if self.weights_path else ""


def load_model(
    name_or_path: str | Path,
    *,
    weights: str | Path | None = None,
    checkpoint: str | None = None,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
    need_head: bool = True,
) -> Hiera:
    """Open a model by name, folder or file; arguments and errors as in `open_model`.

    Returns:
        The network in eval mode: normalised float (B, 3, T, H, W), or (B, 3, H, W) for image
        models, to logits (B, num_classes). `labels` holds the class names.
    """
    return open_model(
        name_or_path,
        weights=weights,
        checkpoint=checkpoint,
        device=device,
        dtype=dtype,
        need_head=need_head,
    ).model


def open_model(
    name_or_path: str | Path,
    *,
    weights: str | Path | None = None,
    checkpoint: str | None = None,
    labels: str | Path | None = None,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
    offline: bool = False,
    cache_dir: str | Path | None = None,
    progress: Progress | None = None,
    need_head: bool = True,
) -> LoadedModel:
    """Find, check and load a model; official weights are downloaded when they are not cached.

    Args:
        name_or_path: zoo name, optionally with `.checkpoint`; a model folder; a weights file of
            an official architecture or with a `config.json` beside it.
        weights: a file that replaces the weights of the named model.
        checkpoint: which official weights; their default is the fine-tuned ones.
        labels: a file of class names, instead of the model's own.
        device: where the network goes.
        dtype: of its parameters.
        offline: never use the network.
        cache_dir: where downloads are kept, see `download.cache_folder`.
        progress: called as bytes of a download arrive.
        need_head: whether classes will be asked for; without it, the encoder of a masked
            autoencoder is good enough.

    Raises:
        UsageError: no such model, checkpoint or device, or labels that do not fit.
        WeightsError: weights not available, damaged, or of another network.
    """
    source = find_source(
        name_or_path,
        weights=weights,
        checkpoint=checkpoint,
        offline=offline,
        cache_dir=cache_dir,
        progress=progress,
        need_head=need_head,
    )
    has_head = source.has_head
    names = read_labels(labels, num_classes=source.config.num_classes) if labels else source.labels
    network = _build(source, device=choose_device(str(device)), dtype=dtype, has_head=has_head)
    return _loaded(network, source, names if has_head else None)


def find_source(
    name_or_path: str | Path,
    *,
    weights: str | Path | None = None,
    checkpoint: str | None = None,
    offline: bool = False,
    cache_dir: str | Path | None = None,
    progress: Progress | None = None,
    need_head: bool = True,
) -> Source:
    """Find a model and open its weights, of which only names and shapes are read.

    Arguments and errors as in `open_model`.
    """
    name = str(name_or_path)
    own = Path(weights) if weights is not None else None
    official = find_checkpoint(name, checkpoint)
    if official is None:
        source = local_source(name, own)
    else:
        # refused before a download of gigabytes, which could not be used
        _check_head(official[1].has_head, need_head, f"{official[0].name}.{official[1].name}")
        fetch = partial(fetch_checkpoint, offline=offline, cache_dir=cache_dir, progress=progress)
        stated = checkpoint is not None or "." in name
        path = own or fetch(official[1])
        source = official_source(*official, path, own_weights=own is not None and not stated)
    _check_head(source.has_head, need_head, str(source.file.path))
    return source


def _loaded(network: Hiera, source: Source, labels: tuple[str, ...] | None) -> LoadedModel:
    """The network with what its source says about it; labels are None without a head."""
    network.labels = labels
    return LoadedModel(
        model=network,
        name=source.name,
        preprocessing=source.preprocessing,
        labels=labels or (),
        weights_path=source.file.path,
        checkpoint=source.checkpoint,
        has_head=labels is not None,
        multi_label=source.multi_label,
    )


def save_model(
    folder: str | Path,
    model: Hiera,
    *,
    labels: tuple[str, ...],
    preprocessing: Preprocessing,
    extra: Mapping[str, Any],
) -> None:
    """Write a model folder that `open_model` reads back; each file whole or not at all.

    Args:
        folder: made when it is not there; a model in it is replaced.
        model: its weights are written in their own dtype.
        labels: one name per class.
        preprocessing: how its inputs are made.
        extra: more JSON values for `config.json`, such as `name`; the constructor's arguments
            win over them.

    Raises:
        OutputError: the folder or a file cannot be written.
    """
    save_module(
        Path(folder),
        model,
        config=model.config,
        labels=labels,
        preprocessing=preprocessing,
        extra=extra,
    )


def save_module(
    folder: Path,
    module: nn.Module,
    *,
    config: HieraConfig,
    labels: tuple[str, ...],
    preprocessing: Preprocessing,
    extra: Mapping[str, Any],
) -> None:
    """Write what is built on an encoder as a model folder; as `save_model` otherwise.

    Raises:
        OutputError: the folder or a file cannot be written.
    """
    state = {name: value.detach().cpu().contiguous() for name, value in module.state_dict().items()}
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_bytes(folder / WEIGHTS_NAME, safetensors.torch.save(state, {"format": "pt"}))
    write_folder_config(folder, config, labels=labels, preprocessing=preprocessing, extra=extra)


def _check_head(has_head: bool, need_head: bool, what: str) -> None:
    if need_head and not has_head:
        raise WeightsError(
            f"{what} has no trained classification head (a masked autoencoder's weights)",
            hint="take fine-tuned weights to classify; these are for features and fine-tuning",
        )


def _build(source: Source, *, device: torch.device, dtype: torch.dtype, has_head: bool) -> Hiera:
    """The network with the weights in it; nothing large is allocated before all checks."""
    with torch.device("meta"):
        model = Hiera(source.config)
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    file = source.file
    check_fit(file.shapes, expected, path=file.path, name=source.name, need_head=has_head)
    _check_memory(source.config, dtype, device)
    state = _head_placeholders(expected)
    try:
        for name in expected:
            if name in file.shapes and (has_head or not name.startswith("head.")):
                state[name] = file.tensor(name)
            state[name] = state[name].to(device=device, dtype=dtype, copy=True).contiguous()
    except torch.OutOfMemoryError as error:
        raise WeightsError(f"{source.name} does not fit into the memory of {device}") from error
    model.load_state_dict(state, assign=True)
    return model.eval()


def _head_placeholders(expected: Mapping[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """What lies above an encoder without head: the identity norm, and a head of zeros."""
    above = {name: shape for name, shape in expected.items() if name.startswith(("norm.", "head."))}
    return {
        name: torch.full(shape, 1.0 if name == "norm.weight" else 0.0)
        for name, shape in above.items()
    }


def _check_memory(config: HieraConfig, dtype: torch.dtype, device: torch.device) -> None:
    needed = config.num_parameters * dtype.itemsize
    available = available_memory_bytes()
    if device.type == "cpu" and available is not None and needed > available:
        raise WeightsError(
            f"the model needs {needed / 2**30:.1f} GiB, {available / 2**30:.1f} GiB are free"
        )
