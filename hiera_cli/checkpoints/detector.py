"""Object detectors as model folders: written by training, opened for evaluation and detection.

`config.json` is that of the encoder, with `detector` (the shape of the rest) and `windows` beside.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from hiera_cli.checkpoints.file import open_weights
from hiera_cli.checkpoints.folder import CONFIG_NAME, WEIGHTS_NAME, read_folder_config
from hiera_cli.checkpoints.open import save_module
from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.errors import UsageError, WeightsError
from hiera_cli.model.box_detector import BoxDetector, BoxDetectorConfig
from hiera_cli.model.config import HieraConfig
from hiera_cli.model.device import choose_device
from hiera_cli.model.hiera import Encoder
from hiera_cli.model.pyramid import Windows


@dataclass(frozen=True, eq=False, slots=True)
class LoadedDetector:
    """A detector with its weights.

    Attributes:
        model: in eval mode, on the device asked for.
        name: of the model.
        preprocessing: what its pixels are.
        labels: class names.
    """

    model: BoxDetector
    name: str
    preprocessing: Preprocessing
    labels: tuple[str, ...]


def save_detector(
    folder: Path, model: BoxDetector, *, labels: tuple[str, ...], preprocessing: Preprocessing
) -> None:
    """Write a detector as a model folder that `open_detector` reads back.

    Raises:
        OutputError: the folder or a file cannot be written.
    """
    windows = model.pyramid.windows
    save_module(
        folder,
        model,
        config=model.pyramid.encoder.config,
        labels=labels,
        preprocessing=preprocessing,
        extra={
            "task": "masks" if model.config.masks else "boxes",
            "detector": asdict(model.config),
            "windows": None if windows is None else asdict(windows),
        },
    )


def open_detector(name: str, *, device: str = "cpu") -> LoadedDetector:
    """Open a detector's folder.

    Raises:
        UsageError: no such folder, or a model that is no detector.
        WeightsError: damaged or foreign files.
    """
    path = Path(name) / CONFIG_NAME
    if not path.is_file():
        raise UsageError(
            f"no detector at '{name}'",
            hint="name the folder that `hiera finetune --task boxes` wrote",
        )
    described = read_folder_config(path)
    values = json.loads(path.read_text(encoding="utf-8"))
    if values.get("task") not in ("boxes", "masks"):
        raise UsageError(
            f"'{name}' is no object detector", hint="train one: hiera finetune --task boxes"
        )
    labels = described.labels or ()
    model = build_detector(described.config, values, num_classes=len(labels))
    _load(model, Path(name) / WEIGHTS_NAME)
    return LoadedDetector(
        model=model.to(choose_device(device)).eval(),
        name=described.name or Path(name).name,
        preprocessing=described.preprocessing or Preprocessing.for_config(described.config),
        labels=labels,
    )


def action_ids(model: str, labels: Sequence[str]) -> dict[str, int]:
    """The data set's number of each action of a model's folder; from 1 where it says none."""
    path = Path(model) / CONFIG_NAME
    values = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    ids = values.get("action_ids") or range(1, len(labels) + 1)
    return dict(zip(labels, ids, strict=True))


def build_detector(
    config: HieraConfig, values: Mapping[str, Any], *, num_classes: int
) -> BoxDetector:
    """The detector that a config.json describes, without its weights.

    Raises:
        WeightsError: a description that makes no sense.
    """
    try:
        shape = BoxDetectorConfig(**values["detector"])
        described = values.get("windows")
        windows = None
        if described is not None:
            units, wide = described["units"], described["global_blocks"]
            windows = Windows((int(units[0]), int(units[1])), tuple(int(i) for i in wide))
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise WeightsError(f"the detector's config.json makes no sense: {error}") from error
    if shape.num_classes != num_classes or config.is_video:
        raise WeightsError("the detector's config.json contradicts itself")
    return BoxDetector(Encoder(config), shape, windows=windows)


def _load(model: torch.nn.Module, path: Path) -> None:
    """Fill a model, in place.

    Raises:
        WeightsError: other tensors than the model has.
    """
    file = open_weights(path)
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    if {name: tuple(shape) for name, shape in file.shapes.items()} != expected:
        raise WeightsError(f"the weights in {path} are not those of the config.json beside them")
    model.load_state_dict({name: file.tensor(name) for name in expected})
