"""Checking a table of features: some of its rows, computed again from the videos."""

import math
import os
import random
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from hiera_cli.errors import Failure, UsageError
from hiera_cli.inference.engine import ClipResult, Engine
from hiera_cli.inputs import InputPath
from hiera_cli.options import EngineOptions
from hiera_cli.tables import count_rows, read_metadata, take_rows
from hiera_cli.tasks.features.extract import ClipFeature, clip_feature, open_feature_engine, wanted
from hiera_cli.tasks.features.options import FeatureOptions

TOLERANCES = {"float32": 1e-3, "bfloat16": 5e-2, "float16": 1e-2}


@dataclass(frozen=True, slots=True)
class Checked:
    """One row and what became of it when it was computed again.

    Attributes:
        path, clip_index: the row.
        deviation: largest difference of a feature's values, relative to the largest value where
            that is over 1; infinite when the clip no longer exists or covers other times.
        within: whether that is tolerable.
    """

    path: str
    clip_index: int
    deviation: float
    within: bool


def verify_features(
    table: str | os.PathLike[str],
    *,
    sample: int = 10,
    seed: int = 0,
    tolerance: float | None = None,
    root: str | None = None,
    model: str | None = None,
    weights: str | None = None,
    options: EngineOptions | None = None,
) -> Iterator[Checked | Failure]:
    """Compute a random sample of a table's rows again.

    Args:
        table: the file or the folder of shards.
        sample: how many rows.
        seed: which ones.
        tolerance: largest deviation that passes; None for what the table's precision allows.
        root: where the videos are, if not where they were.
        model: where the model is, if not where it was.
        weights: likewise.
        options: device, workers and so on; everything else comes from the table.

    Yields:
        a `Checked` for each row, or a `Failure` for each video that cannot be read.

    Raises:
        UsageError: it is no table of features, or the weights are others.
        WeightsError: the model or its weights are not available.
    """
    path = Path(table)
    made = read_metadata(path)
    if made.get("kind") != "features":
        raise UsageError(f"{path} is no table of features")
    if "boxes" in made:
        raise UsageError(f"{path} holds boxes: verify computes whole frames again")
    own = replace(
        options or EngineOptions(),
        model=model or made["notes"]["model"],
        weights=weights or made["notes"]["weights"],
    )
    engine, features = _same_engine(made, own, path)
    allowed = tolerance if tolerance is not None else _tolerance(made)
    num_rows = count_rows(path)
    chosen = random.Random(seed).sample(range(num_rows), min(sample, num_rows))
    rows = (_row(values) for values in take_rows(path, chosen))
    folders = [root] if root is not None else made["roots"]
    for name, group in groupby(rows, key=lambda row: row.path):
        yield from _check_video(_find(name, folders), list(group), engine, features, allowed)


def _same_engine(
    made: Mapping[str, Any], options: EngineOptions, path: Path
) -> tuple[Engine, FeatureOptions]:
    """The model and protocol that the table was made with, ready to run."""
    features = FeatureOptions(
        layer=made["layer"], pool=made["pool"], feature_dtype=made["feature_dtype"]
    )
    own = replace(
        options,
        square_pixels=made["square_pixels"],
        assume_fps=made.get("assume_fps"),
        dtype=made["dtype"] if options.dtype == "auto" else options.dtype,
    )
    engine = open_feature_engine(own, features)
    if engine.loaded.weights_sha256 != made["weights_sha256"]:
        raise UsageError(
            f"{path} was made with other weights ({made['weights_sha256'][:12]}…) than those of "
            f"{own.model} ({engine.loaded.weights_sha256[:12]}…)",
            hint="name the right ones with -m or --weights",
        )
    protocol = replace(engine.loader.protocol, **made["protocol"])
    return replace(engine, loader=replace(engine.loader, protocol=protocol)), features


def _tolerance(made: Mapping[str, Any]) -> float:
    return max(TOLERANCES[made["dtype"]], TOLERANCES[made["feature_dtype"]])


def _row(values: Mapping[str, Any]) -> ClipFeature:
    return ClipFeature(
        path=str(values["path"][0]),
        clip_index=int(values["clip_index"][0]),
        start_seconds=float(values["start_seconds"][0]),
        end_seconds=float(values["end_seconds"][0]),
        feature=values["feature"][0].astype(np.float32),
    )


def _find(name: str, folders: Iterable[str]) -> InputPath:
    """The video of that name, in the first folder that has it."""
    places = [Path(folder, name) for folder in folders]
    found = [place for place in places if place.exists()]
    return InputPath(str((found or places or [Path(name)])[0]), name)


def _check_video(
    source: InputPath,
    rows: list[ClipFeature],
    engine: Engine,
    features: FeatureOptions,
    tolerance: float,
) -> Iterator[Checked | Failure]:
    """Run one video until its last wanted clip."""
    wanted_rows = {row.clip_index: row for row in rows}
    with closing(engine.run([source], wanted(features), clips=True, pad=True)) as results:  # type: ignore[type-var]
        for result in results:
            if isinstance(result, Failure):
                yield result
                return
            if isinstance(result, ClipResult):
                row = wanted_rows.pop(result.clip.clip_index, None)
                if row is not None:
                    yield _compare(row, clip_feature(result), tolerance)
            if not wanted_rows:
                return
    for row in wanted_rows.values():
        yield Checked(row.path, row.clip_index, math.inf, within=False)


def _compare(row: ClipFeature, again: ClipFeature, tolerance: float) -> Checked:
    times = (row.start_seconds, row.end_seconds), (again.start_seconds, again.end_seconds)
    feature = again.feature.reshape(-1)
    if feature.shape != row.feature.shape or not np.allclose(*times, rtol=0, atol=1e-6):
        deviation = math.inf
    else:
        scale = max(1.0, float(np.abs(feature).max()))
        deviation = float(np.abs(row.feature - feature).max()) / scale
    return Checked(row.path, row.clip_index, deviation, within=deviation <= tolerance)
