"""The models there are: what they are, whether they are here, and whether they are whole."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hiera_cli.checkpoints.download import (
    cached_checkpoint,
    expected_sha256,
    fetch_checkpoint,
    source_url,
)
from hiera_cli.checkpoints.folder import (
    CONFIG_NAME,
    FolderConfig,
    find_weights,
    read_folder_config,
)
from hiera_cli.checkpoints.labels import known_labels
from hiera_cli.checkpoints.transfer import Progress, file_sha256
from hiera_cli.checkpoints.zoo import (
    BUNDLED_MODEL,
    WEIGHTS_LICENCE,
    ZOO,
    Checkpoint,
    ZooModel,
    bundled_folder,
    find_checkpoint,
    unknown_model,
)
from hiera_cli.errors import NoInputError, WeightsError

CODE_LICENCE = "Apache-2.0"


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """One set of weights that can be named on the command line.

    Attributes:
        name: `hiera_base_16x224.mae_k400_ft_k400`, or the bundled model's name.
        default: whether the name without checkpoint means these weights.
        kind: `video` or `image`.
        num_classes: classes of its head; None for a masked autoencoder without one.
        parameters_millions, gflops: size, and multiply-adds of one view (published).
        top1: published accuracy in percent.
        licence: of the weights.
        repository, url: where they come from; None for the bundled model.
        path: the file, when it is on this machine.
    """

    name: str
    default: bool
    kind: str
    num_classes: int | None
    parameters_millions: float
    gflops: float | None
    top1: float | None
    licence: str
    repository: str | None
    url: str | None
    path: str | None


@dataclass(frozen=True, slots=True)
class ModelDetails:
    """A model with its configuration, preprocessing and classes."""

    model: ModelRecord
    config: dict[str, Any]
    preprocessing: dict[str, Any]
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Download:
    """Weights that are on this machine now."""

    name: str
    path: str
    num_bytes: int


@dataclass(frozen=True, slots=True)
class Verification:
    """Whether cached weights are what was downloaded, and load.

    Attributes:
        sha256: of the file.
        expected_sha256: as stated by the Hub or noted at the download; None where nobody did.
        problem: empty when all is well.
    """

    name: str
    path: str
    sha256: str
    expected_sha256: str | None
    problem: str


def list_models(*, cache_dir: str | None = None) -> Iterator[ModelRecord]:
    """The bundled model, then all official weights."""
    if (bundled_folder() / CONFIG_NAME).exists():
        yield _bundled_record(read_folder_config(bundled_folder() / CONFIG_NAME))
    for model in ZOO:
        for checkpoint in model.checkpoints:
            yield _record(model, checkpoint, cache_dir)


def describe(name: str, *, cache_dir: str | None = None) -> ModelDetails:
    """All about one model of the list; no network.

    Raises:
        UsageError: no such model.
    """
    if name == BUNDLED_MODEL:
        described = read_folder_config(bundled_folder() / CONFIG_NAME)
        config, preprocessing = described.config, described.preprocessing
        return ModelDetails(
            _bundled_record(described),
            config.to_dict(),
            preprocessing.to_dict() if preprocessing else {},
            described.labels or (),
        )
    model, checkpoint = _find(name)
    labels = known_labels(checkpoint.labels, model.config.num_classes)
    return ModelDetails(
        _record(model, checkpoint, cache_dir),
        model.config.to_dict(),
        model.preprocessing.to_dict(),
        labels if checkpoint.has_head else (),
    )


def download(
    names: Iterable[str],
    *,
    offline: bool = False,
    cache_dir: str | None = None,
    progress: Progress | None = None,
) -> Iterator[Download]:
    """Fetch official weights that are not here yet; the bundled model is always here.

    Raises:
        UsageError: no such model; known before anything is fetched.
        WeightsError: not to be had.
    """
    wanted = [(name, None if name == BUNDLED_MODEL else _find(name)[1]) for name in names]
    for name, checkpoint in wanted:
        path = (
            find_weights(bundled_folder())
            if checkpoint is None
            else fetch_checkpoint(
                checkpoint, offline=offline, cache_dir=cache_dir, progress=progress
            )
        )
        yield Download(name, str(path), path.stat().st_size)


def verify(names: Iterable[str] = (), *, cache_dir: str | None = None) -> Iterator[Verification]:
    """Hash cached weights again and load them.

    Args:
        names: which; by default all that are on this machine.
        cache_dir: where to look.

    Raises:
        UsageError: no such model.
        WeightsError: a model that was named is not on this machine.
        NoInputError: none was named, and none is on this machine.
    """
    chosen = list(names) or [m.name for m in list_models(cache_dir=cache_dir) if m.path]
    if not chosen:
        raise NoInputError("no model is on this machine", hint="hiera models download NAME")
    for name in chosen:
        if name == BUNDLED_MODEL:
            yield _verify(name, find_weights(bundled_folder()), None, cache_dir)
            continue
        _, checkpoint = _find(name)
        path = cached_checkpoint(checkpoint, cache_dir=cache_dir)
        if path is None:
            raise WeightsError(f"{name} is not in the cache", hint=f"hiera models download {name}")
        yield _verify(name, path, expected_sha256(checkpoint, path), cache_dir)


def _verify(name: str, path: Path, expected: str | None, cache_dir: str | None) -> Verification:
    from hiera_cli.checkpoints.open import open_model

    found, problem = "", ""
    try:
        found = file_sha256(path)
        open_model(name, cache_dir=cache_dir, offline=True, need_head=False)
    except WeightsError as error:
        problem = error.message
    if expected is not None and found != expected:
        problem = f"the file is not what was downloaded: delete {path}"
    return Verification(name, str(path), found, expected, problem)


def _find(name: str) -> tuple[ZooModel, Checkpoint]:
    found = find_checkpoint(name)
    if found is None:
        raise unknown_model(name)
    return found


def _record(model: ZooModel, checkpoint: Checkpoint, cache_dir: str | None) -> ModelRecord:
    path = cached_checkpoint(checkpoint, cache_dir=cache_dir)
    return ModelRecord(
        name=f"{model.name}.{checkpoint.name}",
        default=checkpoint is model.checkpoints[0],
        kind="video" if model.config.is_video else "image",
        num_classes=model.config.num_classes if checkpoint.has_head else None,
        parameters_millions=model.parameters_millions,
        gflops=model.gflops,
        top1=checkpoint.top1,
        licence=WEIGHTS_LICENCE,
        repository=checkpoint.repository,
        url=source_url(checkpoint),
        path=str(path) if path else None,
    )


def _bundled_record(described: FolderConfig) -> ModelRecord:
    return ModelRecord(
        name=BUNDLED_MODEL,
        default=True,
        kind="video" if described.config.is_video else "image",
        num_classes=described.config.num_classes,
        parameters_millions=round(described.config.num_parameters / 1e6, 1),
        gflops=None,
        top1=None,
        licence=CODE_LICENCE,
        repository=None,
        url=None,
        path=str(find_weights(bundled_folder())),
    )
