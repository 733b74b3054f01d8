"""From `CLIP#START-END` to vectors, with the model that made the table."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hiera_cli.errors import Failure, MediaError, UsageError
from hiera_cli.inference.engine import ClipResult, Engine
from hiera_cli.inference.loader import load_batches
from hiera_cli.inputs import InputPath
from hiera_cli.options import EngineOptions, FeatureOptions
from hiera_cli.tasks.features.extract import open_feature_engine, wanted
from hiera_cli.tasks.search.rows import Vectors

_RANGE = re.compile(r"(?P<path>.*)#(?P<start>[0-9.:]+)-(?P<end>[0-9.:]+)", re.DOTALL)
HOPS_A_WINDOW = 4


@dataclass(frozen=True, slots=True)
class LikeClip:
    """A clip to look for: a file, or the part of it between two times."""

    path: str
    start_seconds: float = 0.0
    end_seconds: float = float("inf")


def parse_like(text: str) -> LikeClip:
    """`clip.mp4`, or `clip.mp4#12.5-16` in seconds or `1:02-1:07`; a file of that name goes first.

    Raises:
        UsageError: times that mean nothing.
    """
    match = _RANGE.fullmatch(text)
    if match is None or Path(text).exists():
        return LikeClip(text)
    try:
        start, end = _seconds(match["start"]), _seconds(match["end"])
    except ValueError:
        raise UsageError(f"'{text}' names no times", hint="write CLIP#START-END") from None
    if not start < end:
        raise UsageError(f"'{text}' ends before it starts")
    return LikeClip(match["path"], start, end)


def _seconds(text: str) -> float:
    total = 0.0
    for part in text.split(":"):
        total = 60 * total + float(part)
    return total


def open_query_engine(table: Path, made: Mapping[str, Any], options: EngineOptions) -> Engine:
    """The model of a table, ready for clips of any length.

    Raises:
        UsageError: the weights are others than those of the table.
        WeightsError: the model or its weights are not available.
    """
    own = replace(
        options,
        model=made["notes"]["model"],
        weights=options.weights or made["notes"]["weights"],
        square_pixels=made["square_pixels"],
    )
    engine = open_feature_engine(own, _features(made))
    if engine.loaded.weights_sha256 != made["weights_sha256"]:
        raise UsageError(
            f"{table} was made with other weights ({made['weights_sha256'][:12]}…)",
            hint="name them with --weights",
        )
    protocol = replace(engine.loader.protocol, **made["protocol"])
    hop = (protocol.hop_seconds or protocol.window_seconds) / HOPS_A_WINDOW
    dense = replace(protocol, name="dense", num_clips=None, hop_seconds=max(hop, 0.01))
    return replace(engine, loader=replace(engine.loader, protocol=dense))


def _features(made: Mapping[str, Any]) -> FeatureOptions:
    return FeatureOptions(
        layer=made["layer"], pool=made["pool"], feature_dtype=made["feature_dtype"]
    )


def query_vectors(
    like: LikeClip, engine: Engine, made: Mapping[str, Any], *, mirrored: bool = False
) -> Vectors:
    """Features (Q, D) of the windows of a clip; those of its mirror image with `mirrored`.

    Windows lie inside the range that is asked for; where none does, the one that fits best.

    Raises:
        MediaError: the clip cannot be read.
    """
    needed = wanted(_features(made))
    source, found = InputPath(like.path, like.path), []
    if mirrored:
        found = _mirrored(source, engine, made)
    else:
        for result in engine.run([source], needed, clips=True):
            if isinstance(result, Failure):
                raise MediaError(result.kind, f"{like.path}: {result.message}")
            if isinstance(result, ClipResult) and result.features is not None:
                found.append((result.clip, result.features.reshape(-1)))
    inside = [
        vector
        for clip, vector in found
        if clip.start_seconds >= like.start_seconds - 1e-3
        and clip.end_seconds <= like.end_seconds + 1e-3
    ]
    if not inside:
        middle = (like.start_seconds + min(like.end_seconds, found[-1][0].end_seconds)) / 2
        _, vector = min(
            found, key=lambda f: abs(f[0].start_seconds + f[0].end_seconds - 2 * middle)
        )
        inside = [vector]
    return np.stack(inside).astype(np.float32)


def _mirrored(source: InputPath, engine: Engine, made: Mapping[str, Any]) -> list[Any]:
    needed, found = wanted(_features(made)), []
    for batch in load_batches([source], engine.loader):
        for end in batch.ended:
            if end.failure is not None:
                raise MediaError(end.failure.kind, f"{source.path}: {end.failure.message}")
        if len(batch.pixels):
            output = engine.backend.run(batch.pixels.flip(-1), needed).wait()
            assert output.features is not None, "the backend was asked for features"
            for slot, vector in zip(batch.slots, output.features.numpy(), strict=True):
                found.append((slot.clip, vector.reshape(-1)))
    return found
