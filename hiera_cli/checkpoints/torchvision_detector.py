"""torchvision's detectors, trained on COCO: `torchvision:NAME`, its weights from torch hub's cache.

Files have the names that torchvision gives them, so that both find what the other downloaded. The
first digits of a file's SHA-256 are part of its name.
"""

import logging
import os
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch
from torch import Tensor, nn

from hiera_cli.checkpoints import hub
from hiera_cli.checkpoints.download import chosen_folder
from hiera_cli.checkpoints.file import read_state
from hiera_cli.checkpoints.transfer import Progress, download_file
from hiera_cli.errors import UsageError, WeightsError
from hiera_cli.model.device import choose_device

PREFIX = "torchvision:"
BACKGROUND = 1  # the first category stands for no object
NOT_COUNTED = ".num_batches_tracked"  # of no use after training, and not in all files
WITHOUT_EPS = (  # whose frozen batch norms torchvision runs without epsilon
    "fasterrcnn_resnet50_fpn",
    "keypointrcnn_resnet50_fpn",
    "maskrcnn_resnet50_fpn",
    "retinanet_resnet50_fpn",
)

logger = logging.getLogger("hiera_cli")


@dataclass(frozen=True, eq=False, slots=True)
class TorchvisionDetector:
    """A detector of torchvision with its weights.

    Attributes:
        model: in eval mode; takes a list of (3, H, W) float in 0..1, boxes in pixels of each.
        name: without the prefix.
        labels: class names by index from 0; COCO's numbering has holes, which are `N/A`.
    """

    model: nn.Module
    name: str
    labels: tuple[str, ...]


def open_torchvision_detector(
    name: str,
    *,
    device: str = "cpu",
    offline: bool = False,
    cache_dir: str | None = None,
    progress: Progress | None = None,
) -> TorchvisionDetector:
    """Open a detector by torchvision's name; weights that are not cached are downloaded.

    Args:
        name: as `torchvision:fasterrcnn_resnet50_fpn_v2`.
        device: where it runs.
        offline: never use the network.
        cache_dir: where weights are kept, instead of torch hub's cache.
        progress: called as bytes arrive.

    Raises:
        UsageError: torchvision has no such detector.
        WeightsError: the weights are not cached and not to be had, or do not fit.
        OutputError: the cache cannot be written.
    """
    chosen = name.removeprefix(PREFIX)
    weights = _weights(chosen)
    path = _fetch(chosen, weights.url, offline=offline, cache_dir=cache_dir, progress=progress)
    categories = weights.meta["categories"]
    model: nn.Module = _detection().__dict__[chosen](
        weights=None, weights_backbone=None, num_classes=len(categories)
    )
    _load(model, read_state(path), path)
    if chosen in WITHOUT_EPS:
        for layer in model.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.eps = 0.0
    return TorchvisionDetector(
        model=model.to(choose_device(device)).eval(),
        name=chosen,
        labels=tuple(categories[BACKGROUND:]),
    )


def detector_names() -> list[str]:
    """What torchvision's detectors are called."""
    models: Any = import_module("torchvision.models")
    return [f"{PREFIX}{name}" for name in models.list_models(module=_detection())]


def _detection() -> Any:
    return import_module("torchvision.models.detection")


def _weights(name: str) -> Any:
    """The best weights that torchvision has for a detector.

    Raises:
        UsageError: it has no such detector.
    """
    if f"{PREFIX}{name}" not in detector_names():
        raise UsageError(
            f"torchvision has no detector '{name}'", hint=f"use {', '.join(detector_names())}"
        )
    models: Any = import_module("torchvision.models")
    return models.get_model_weights(name).DEFAULT


def _fetch(
    name: str, url: str, *, offline: bool, cache_dir: str | None, progress: Progress | None
) -> Path:
    """The file of a detector's weights.

    Raises:
        WeightsError: not cached, and not to be had.
        OutputError: the cache cannot be written.
    """
    file_name = Path(urlsplit(url).path).name
    own = chosen_folder(cache_dir)
    folder = (own or Path(torch.hub.get_dir())) / "checkpoints"
    cached = [folder / file_name, Path(torch.hub.get_dir()) / "checkpoints" / file_name]
    for path in cached:
        if path.is_file():
            return path
    hint = f"on a connected machine fetch {url}, and copy it to {folder}"
    missing = f"the weights of {PREFIX}{name} are not in the cache ({folder})"
    if offline or hub.is_offline():
        raise WeightsError(f"{missing}, and the network is not to be used (offline)", hint=hint)
    logger.warning(
        "downloading %s%s; the terms of its training data (COCO) may apply", PREFIX, name
    )
    base = os.environ.get("HIERA_TORCHVISION_URL")
    source = f"{base.rstrip('/')}/{file_name}" if base else url
    digits = Path(file_name).stem.rpartition("-")[2]
    try:
        download_file(source, cached[0], sha256=digits, progress=progress)
    except WeightsError as error:
        raise WeightsError(f"{missing}, and could not be downloaded: {error.message}", hint=hint) \
            from error  # fmt: skip
    return cached[0]


def _load(model: nn.Module, state: dict[str, Tensor], path: Path) -> None:
    """Fill a model, in place.

    Raises:
        WeightsError: other tensors than the model has.
    """
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in state.items()}
    counted = {name: shape for name, shape in expected.items() if not name.endswith(NOT_COUNTED)}
    if {n: s for n, s in found.items() if not n.endswith(NOT_COUNTED)} != counted:
        raise WeightsError(
            f"the weights in {path} are not this detector's", hint="delete the file to fetch it"
        )
    model.load_state_dict(state, strict=False)
