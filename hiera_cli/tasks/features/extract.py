"""Feature extraction: for every clip of every video a vector, with the times that it covers."""

import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from os import PathLike
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hiera_cli.errors import Failure, UsageError
from hiera_cli.exports.variants import Array
from hiera_cli.inference.backend import Wanted
from hiera_cli.inference.engine import ClipResult, Engine
from hiera_cli.inference.open import open_engine
from hiera_cli.inference.pixel_model import LAYERS
from hiera_cli.inference.precision import measured_dtype
from hiera_cli.inputs import InputPath, expand_inputs, input_names, printable
from hiera_cli.model.config import SIDE_STAGES, HieraConfig
from hiera_cli.options import EngineOptions, Layer, Pool, with_changes
from hiera_cli.remote import absolute
from hiera_cli.tables import Column
from hiera_cli.tasks.features.options import FeatureOptions
from hiera_cli.video.protocols import TARGET_FPS

DEFAULT_PROTOCOL: Final = "dense"
DEFAULT_FPS = 1.0
ACTIONFORMER_HOP_FRAMES = 4  # feat_stride of its THUMOS'14 configuration; 16 frames a window
FEATURE_FIELDS = {field.name for field in fields(FeatureOptions)}


@dataclass(frozen=True, eq=False, slots=True)
class ClipFeature:
    """One clip of one video.

    Attributes:
        path: the video, relative to the folder that it was found under.
        clip_index: position among the clips of the video.
        start_seconds: presentation time of the first sampled frame.
        end_seconds: when the last sampled frame stops being shown.
        feature: (D,), or the tokens (T', H', W', D) with `pool="none"`; float32.
        scores: (K,) class probabilities, or None.
    """

    path: str
    clip_index: int
    start_seconds: float
    end_seconds: float
    feature: Array
    scores: Array | None = None


def extract_features(
    inputs: str | PathLike[str] | Iterable[str | PathLike[str]],
    *,
    features: FeatureOptions | None = None,
    options: EngineOptions | None = None,
    **changes: Any,
) -> Iterator[ClipFeature | Failure]:
    """Extract features of videos into memory, one video at a time.

    Args:
        inputs: one file, folder, glob or `@list`, or several.
        features: layer, pooling and so on.
        options: model, protocol (default `dense`), device and so on.
        changes: single fields of either by name, such as `model="camera-motion"`.

    Yields:
        for each video in order its `ClipFeature`s, or one `Failure`.

    Raises:
        UsageError: an option that cannot mean anything.
        WeightsError: the model or its weights are not available or do not fit.
    """
    own = {name: changes.pop(name) for name in set(changes) & FEATURE_FIELDS}
    chosen = with_changes(features or FeatureOptions(), own)
    engine = open_feature_engine(with_changes(options or EngineOptions(), changes), chosen)
    files = (named(source, chosen) for source in expand_inputs(input_names(inputs)))
    return _features(files, engine, wanted(chosen))


def _features(
    files: Iterable[InputPath], engine: Engine, needed: Wanted
) -> Iterator[ClipFeature | Failure]:
    clips: list[ClipFeature] = []
    for result in engine.run(files, needed, clips=True):
        if isinstance(result, ClipResult):
            clips.append(clip_feature(result))
            continue
        if isinstance(result, Failure):
            yield result
        else:
            yield from clips
        clips = []


def clip_feature(result: ClipResult) -> ClipFeature:
    """What the engine says about a clip, as a record."""
    assert result.features is not None, "the engine was not asked for features"
    return ClipFeature(
        path=result.input.name,
        clip_index=result.clip.clip_index,
        start_seconds=result.clip.start_seconds,
        end_seconds=result.clip.end_seconds,
        feature=result.features,
        scores=result.scores,
    )


def named(source: InputPath, options: FeatureOptions) -> InputPath:
    """The input under the name that stands in the table: valid UTF-8, absolute if asked for."""
    name = absolute(source.path) if options.absolute_paths else source.name
    try:
        name.encode()
    except UnicodeEncodeError:
        name = printable(name)
    return InputPath(source.path, name)


def wanted(options: FeatureOptions) -> Wanted:
    """What the model is asked for."""
    return Wanted(scores=options.scores, layer=options.layer, pool=options.pool)


def open_feature_engine(options: EngineOptions, features: FeatureOptions) -> Engine:
    """Load the model; an image model looks at single frames, `fps` of them a second.

    Raises:
        UsageError: an option that cannot mean anything.
        WeightsError: the model or its weights are not available or do not fit.
    """
    engine = open_engine(options, protocol=DEFAULT_PROTOCOL, need_head=features.scores, exact=False)
    protocol, is_video = engine.loader.protocol, engine.loaded.model.config.is_video
    sparse = protocol.num_clips is not None or options.hop is not None
    if features.fps is not None and (is_video or sparse):
        raise UsageError(
            "--fps is for image models, without --protocol and --hop", hint="use --hop SECONDS"
        )
    if features.export == "actionformer":
        if not is_video or sparse:
            hint = "leave out --protocol, --clips and --hop, and use a video model"
            raise UsageError("--export actionformer has windows of its own", hint=hint)
        close = replace(protocol, frame_stride=1, hop_seconds=ACTIONFORMER_HOP_FRAMES / TARGET_FPS)
        return replace(engine, loader=replace(engine.loader, protocol=close))
    if is_video or sparse:
        return engine
    framewise = replace(protocol, hop_seconds=1 / (features.fps or DEFAULT_FPS))
    return replace(engine, loader=replace(engine.loader, protocol=framewise))


def feature_shape(config: HieraConfig, layer: Layer, pool: Pool) -> tuple[int, ...]:
    """The shape of one feature: (D,), or (T', H', W', D) ((H', W', D) for images) unpooled."""
    if layer == "stages":
        return (replace(config, head_stages=SIDE_STAGES).head_dim,)
    if layer == "final" and pool == "mean":
        return (config.head_dim,)
    stage = len(config.stages) - 1 if layer == "final" else LAYERS.index(layer)
    width = config.stage_dims[stage]
    if pool != "none":
        return (width,)
    pooled = min(stage, config.q_pool)
    sides = (n // s**pooled for n, s in zip(config.grid_size, config.q_stride, strict=True))
    return (*sides, width)


def feature_columns(engine: Engine, features: FeatureOptions) -> tuple[Column, ...]:
    """The columns of the table; unpooled tokens are stored flat."""
    needed = wanted(features)
    shape = feature_shape(engine.loaded.model.config, features.layer, needed.pool)
    columns = (
        Column("path", "string"),
        Column("clip_index", "int32"),
        Column("start_seconds", "float64"),
        Column("end_seconds", "float64"),
        Column("feature", features.feature_dtype, math.prod(shape)),
    )
    if not features.scores:
        return columns
    return (*columns, Column("scores", "float32", engine.loaded.model.config.num_classes))


def feature_row(clip: ClipFeature, dtype: str) -> dict[str, npt.NDArray[Any]]:
    """A row of the table, as arrays of length one by column name."""
    row: dict[str, Any] = {
        "path": [clip.path],
        "clip_index": [clip.clip_index],
        "start_seconds": [clip.start_seconds],
        "end_seconds": [clip.end_seconds],
        "feature": clip.feature.reshape(1, -1).astype(dtype),
    }
    return row if clip.scores is None else {**row, "scores": clip.scores[None]}


def feature_settings(
    engine: Engine, features: FeatureOptions, options: EngineOptions
) -> dict[str, Any]:
    """All that the values in the table depend on, as JSON."""
    loaded, needed = engine.loaded, wanted(features)
    shape = feature_shape(loaded.model.config, features.layer, needed.pool)
    return {
        "kind": "features",
        "model": loaded.name,
        "checkpoint": loaded.checkpoint,
        "weights_sha256": loaded.weights_sha256,
        "preprocessing": asdict(loaded.preprocessing),
        "protocol": asdict(engine.loader.protocol),
        "square_pixels": options.square_pixels,
        **({} if options.assume_fps is None else {"assume_fps": options.assume_fps}),
        "layer": features.layer,
        "pool": features.pool,
        "feature_shape": list(shape),
        "feature_dtype": features.feature_dtype,
        "backend": options.backend,
        "dtype": measured_dtype(options, loaded.model.config),
        "absolute_paths": features.absolute_paths,
        "scores": features.scores,
        "labels": list(loaded.labels) if features.scores else None,
    }


def roots(files: Iterable[InputPath]) -> list[str]:
    """The folders that the names of the inputs are relative to, absolute and sorted."""
    found = set()
    for source in files:
        path = absolute(source.path)
        name = os.path.normpath(source.name)
        if path.endswith(os.sep + name):
            found.add(printable(path[: -len(name) - 1]))
    return sorted(found)


def is_finite(clip: ClipFeature, dtype: str) -> bool:
    """Whether the feature can be stored as what it is."""
    limit = float(np.finfo(dtype).max)
    return bool(np.all(np.abs(clip.feature) <= limit))  # false for NaN as well
