"""Action classification: for every video its most probable classes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from os import PathLike
from typing import Any, Final

from hiera_cli.errors import Failure, UsageError
from hiera_cli.exports.variants import Array
from hiera_cli.inference.backend import Wanted
from hiera_cli.inference.engine import Engine, VideoResult
from hiera_cli.inference.open import open_engine
from hiera_cli.inputs import InputPath, expand_inputs, input_names
from hiera_cli.options import EngineOptions, with_changes

DEFAULT_PROTOCOL: Final = "balanced"


@dataclass(frozen=True, slots=True)
class Prediction:
    """One class and its probability; `rank` counts from 1."""

    rank: int
    index: int
    label: str
    score: float


@dataclass(frozen=True, slots=True)
class Classification:
    """What a video shows.

    Attributes:
        path: the file, as found.
        duration_seconds: from the first frame to the end of the last.
        num_frames: frames that decode.
        fps: average frame rate.
        width, height: as displayed, in pixels.
        model: name of the model and checkpoint.
        protocol: name of the sampling protocol.
        num_views: views that were averaged.
        predictions: most probable classes first.
        warnings: what was wrong with the file although it could be used.
    """

    path: str
    duration_seconds: float
    num_frames: int
    fps: float
    width: int
    height: int
    model: str
    protocol: str
    num_views: int
    predictions: tuple[Prediction, ...]
    warnings: tuple[str, ...] = ()


def classify(
    inputs: str | PathLike[str] | Iterable[str | PathLike[str]],
    *,
    top_k: int = 5,
    options: EngineOptions | None = None,
    **changes: Any,
) -> Iterator[Classification | Failure]:
    """Classify videos.

    Args:
        inputs: one file, folder, glob or `@list`, or several.
        top_k: predictions a video.
        options: model, protocol, device and so on.
        changes: single fields of `EngineOptions` by name, such as `model="camera-motion"`.

    Yields:
        for each video in order a `Classification`, or a `Failure` that says why there is none.

    Raises:
        UsageError: an option that cannot mean anything.
        WeightsError: the model or its weights are not available or do not fit.
    """
    chosen = with_changes(options or EngineOptions(), changes)
    engine = open_engine(chosen, protocol=DEFAULT_PROTOCOL, exact=False)
    return classify_files(expand_inputs(input_names(inputs)), engine, top_k=top_k)


def classify_files(
    files: Iterable[InputPath], engine: Engine, *, top_k: int = 5
) -> Iterator[Classification | Failure]:
    """As `classify`, on files that were already expanded and an engine that is open."""
    if top_k < 1:
        raise UsageError(f"--top-k must be at least 1, not {top_k}")
    return _classifications(files, engine, top_k)


def _classifications(
    files: Iterable[InputPath], engine: Engine, top_k: int
) -> Iterator[Classification | Failure]:
    under_their_paths = (InputPath(file.path, file.path) for file in files)
    for result in engine.run(under_their_paths, Wanted(scores=True)):
        if isinstance(result, Failure):
            yield result
        elif isinstance(result, VideoResult):
            yield _classification(result, engine, top_k)


def _classification(result: VideoResult, engine: Engine, top_k: int) -> Classification:
    info = result.info
    return Classification(
        path=result.input.path,
        duration_seconds=info.duration_seconds,
        num_frames=info.num_frames,
        fps=info.fps,
        width=info.width,
        height=info.height,
        model=engine.loaded.name,
        protocol=engine.loader.protocol.name,
        num_views=result.num_views,
        predictions=top_predictions(result.scores, engine.loaded.labels, top_k),
        warnings=info.warnings,
    )


def top_predictions(
    scores: Array | None, labels: tuple[str, ...], top_k: int
) -> tuple[Prediction, ...]:
    """The `top_k` classes of a score vector (K,), most probable first; ties by index."""
    if scores is None:
        return ()
    order = (-scores).argsort(kind="stable")[:top_k]
    return tuple(
        Prediction(rank, int(index), labels[index], float(scores[index]))
        for rank, index in enumerate(order, start=1)
    )
