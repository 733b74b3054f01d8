"""The models we know by name: shape, sources, licence and published figures. No torch.

Figures are the paper's (Ryali et al., ICML 2023, tables 2 and 4, and the official README): they
are what a result is reported against, never something a result is made from.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.errors import UsageError
from hiera_cli.model.config import HieraConfig

DEFAULT_MODEL = "hiera_base_16x224"
BUNDLED_MODEL = "camera-motion"
WEIGHTS_LICENCE = "CC BY-NC 4.0"
CHECKPOINT_URL = "https://dl.fbaipublicfiles.com/hiera"

LabelSet = Literal["kinetics400", "imagenet1k"]

_VIDEO_SHAPE: Mapping[str, Any] = {
    "input_size": (16, 224, 224),
    "q_stride": (1, 2, 2),
    "mask_unit_size": (1, 8, 8),
    "patch_kernel": (3, 7, 7),
    "patch_stride": (2, 4, 4),
    "patch_padding": (1, 3, 3),
    "sep_pos_embed": True,
    "num_classes": 400,
}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One set of official weights of an architecture.

    Attributes:
        name: training history, as in `mae_k400_ft_k400`.
        repository: on the Hugging Face Hub, with `model.safetensors`.
        filename: of the official `.pth`, under `CHECKPOINT_URL`.
        labels: which list names its classes; None without a head (masked autoencoder).
        top1: published accuracy in percent (video: 5 clips × 3 crops); None without a head.
        sha256: of the `.pth`, empty where not known.
    """

    name: str
    repository: str
    filename: str
    labels: LabelSet | None
    top1: float | None
    sha256: str = ""

    @property
    def has_head(self) -> bool:
        """Whether a classification head was trained."""
        return self.labels is not None


@dataclass(frozen=True, slots=True)
class ZooModel:
    """One official architecture and its checkpoints, the default first.

    Attributes:
        gflops: multiply-adds of one view, in 10^9.
        parameters_millions: as published, with the head.
    """

    name: str
    config: HieraConfig
    gflops: float
    parameters_millions: float
    checkpoints: tuple[Checkpoint, ...]

    @property
    def preprocessing(self) -> Preprocessing:
        """The official preprocessing."""
        return Preprocessing.for_config(self.config)


def _video(
    size: str, width: int, heads: int, stages: tuple[int, ...], figures: tuple[float, float, float]
) -> ZooModel:
    """A Kinetics model; `figures` are params (10^6), multiply-adds (10^9) and top-1."""
    name = f"hiera_{size}_16x224"
    config = HieraConfig(embed_dim=width, num_heads=heads, stages=stages, **_VIDEO_SHAPE)
    checkpoints = _checkpoints(name, "k400", "kinetics400", figures[2])
    return ZooModel(name, config, figures[1], figures[0], checkpoints)


def _image(
    size: str, width: int, heads: int, stages: tuple[int, ...], figures: tuple[float, float, float]
) -> ZooModel:
    """An ImageNet-1k model; `figures` as in `_video`."""
    name = f"hiera_{size}_224"
    config = HieraConfig(embed_dim=width, num_heads=heads, stages=stages)
    checkpoints = _checkpoints(name, "in1k", "imagenet1k", figures[2])
    return ZooModel(name, config, figures[1], figures[0], checkpoints)


def _checkpoints(
    model: str, dataset: str, labels: LabelSet, top1: float
) -> tuple[Checkpoint, Checkpoint]:
    """The fine-tuned and the masked-autoencoder weights of an architecture."""
    tuned, mae = f"mae_{dataset}_ft_{dataset}", f"mae_{dataset}"
    return (
        Checkpoint(tuned, f"facebook/{model}.{tuned}", f"{model}.pth", labels, top1),
        Checkpoint(mae, f"facebook/{model}.{mae}", f"mae_{model}.pth", None, None),
    )


_TINY, _SMALL = (1, 2, 7, 2), (1, 2, 11, 2)
_BASE, _LARGE = (2, 3, 16, 3), (2, 6, 36, 4)

ZOO: tuple[ZooModel, ...] = (
    _video("base", 96, 1, _BASE, (51, 102, 84.0)),
    _video("base_plus", 112, 2, _BASE, (69, 133, 85.0)),
    _video("large", 144, 2, _LARGE, (213, 413, 87.3)),
    _video("huge", 256, 4, _LARGE, (672, 1159, 87.8)),
    _image("tiny", 96, 1, _TINY, (28, 5, 82.8)),
    _image("small", 96, 1, _SMALL, (35, 6, 83.8)),
    _image("base", 96, 1, _BASE, (52, 9, 84.5)),
    _image("base_plus", 112, 2, _BASE, (70, 13, 85.2)),
    _image("large", 144, 2, _LARGE, (214, 40, 86.1)),
    _image("huge", 256, 4, _LARGE, (673, 125, 86.9)),
)


def bundled_folder() -> Path:
    """Where the model that comes with the package lies (`camera-motion`)."""
    return Path(__file__).parent / "bundled" / BUNDLED_MODEL


def find_model(name: str) -> ZooModel | None:
    """The architecture called `name` exactly, without checkpoint; None when there is none."""
    return next((model for model in ZOO if model.name == name), None)


def find_checkpoint(name: str, checkpoint: str | None = None) -> tuple[ZooModel, Checkpoint] | None:
    """Resolve `hiera_base_16x224` or `hiera_base_16x224.mae_k400`; None for any other name.

    Args:
        name: as on the command line; the Hub's `facebook/` may stand before it.
        checkpoint: overrules the default; must agree with a checkpoint in `name`.

    Raises:
        UsageError: the architecture exists, the checkpoint does not; or a checkpoint of a model
            that is not official.
    """
    base, _, suffix = name.removeprefix("facebook/").partition(".")
    model = find_model(base)
    if model is None and checkpoint is not None:
        raise UsageError(f"checkpoint {checkpoint!r} asked for, but {name!r} is not in the zoo")
    if model is None:
        return None
    if checkpoint and suffix and checkpoint != suffix:
        raise UsageError(f"two different checkpoints asked for: {suffix!r} and {checkpoint!r}")
    wanted = checkpoint or suffix or model.checkpoints[0].name
    for candidate in model.checkpoints:
        if candidate.name == wanted:
            return model, candidate
    known = ", ".join(candidate.name for candidate in model.checkpoints)
    raise UsageError(f"{base} has no checkpoint {wanted!r}", hint=f"choose one of: {known}")


def unknown_model(name: str) -> UsageError:
    """The error for a name that is neither in the zoo nor a path, with the nearest names."""
    names = [BUNDLED_MODEL, *(model.name for model in ZOO)]
    near = difflib.get_close_matches(name.partition(".")[0], names, n=3, cutoff=0.6)
    hint = f"did you mean {' or '.join(near)}?" if near else "`hiera models list` shows the names"
    return UsageError(f"no model is called {name!r}, and no file or folder either", hint=hint)


def published_top1(name: str, checkpoint: str) -> float | None:
    """Published accuracy in percent of official weights, None where there is no figure."""
    model = find_model(name)
    found = [c.top1 for c in model.checkpoints if c.name == checkpoint] if model else []
    return found[0] if found else None
