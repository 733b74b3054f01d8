"""What a feature extraction would cost: counted from the files' headers, timed on a few clips."""

import os
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from hiera_cli.errors import MediaError
from hiera_cli.inference.engine import ClipResult, Engine
from hiera_cli.inputs import InputPath
from hiera_cli.options import EngineOptions
from hiera_cli.tables import Column
from hiera_cli.tasks.features.extract import feature_columns, open_feature_engine, wanted
from hiera_cli.tasks.features.options import FeatureOptions, TableOptions
from hiera_cli.tasks.features.shares import parse_share
from hiera_cli.tasks.features.table import finished_names, plan_sources
from hiera_cli.video.decode import Limits, probe
from hiera_cli.video.local_file import local_file
from hiera_cli.video.protocols import Protocol
from hiera_cli.video.sampling import plan_clips

MEASURED_SECONDS = 15.0
COUNTING_THREADS = 8


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is still to be done and what it takes.

    Attributes:
        num_videos: inputs, or this share of them.
        num_finished: those that the output holds already.
        num_unreadable: those that would fail.
        num_clips: rows to be added.
        output_bytes: size of those rows before compression.
        clips_per_second: measured, decoding included; 0.0 if there was nothing to measure.
        seconds: how long it would take at that rate.
    """

    num_videos: int
    num_finished: int
    num_unreadable: int
    num_clips: int
    output_bytes: int
    clips_per_second: float
    seconds: float


def estimate_features(
    files: Iterable[InputPath],
    out: str | os.PathLike[str],
    *,
    features: FeatureOptions | None = None,
    options: EngineOptions | None = None,
    table: TableOptions | None = None,
) -> Estimate:
    """What `write_features` with the same arguments would take; writes nothing.

    Raises:
        UsageError: an option that cannot mean anything.
        WeightsError: the model or its weights are not available or do not fit.
    """
    features, table = features or FeatureOptions(), table or TableOptions()
    sources = plan_sources(files, features, parse_share(table.shard))
    done = set() if table.on_existing == "overwrite" else finished_names(out, table)
    todo = [source for source in sources if source.name not in done]
    engine = open_feature_engine(options or EngineOptions(), features)
    counts = _count_clips(todo, engine)
    num_clips = sum(counts)
    rate = _clips_per_second(todo, engine, features) if num_clips else 0.0
    return Estimate(
        num_videos=len(sources),
        num_finished=len(sources) - len(todo),
        num_unreadable=counts.count(0),
        num_clips=num_clips,
        output_bytes=num_clips * _row_bytes(feature_columns(engine, features)),
        clips_per_second=rate,
        seconds=num_clips / rate if rate else 0.0,
    )


def _count_clips(sources: Sequence[InputPath], engine: Engine) -> list[int]:
    """Clips of each video, from its packets; 0 where it cannot be read."""
    protocol, limits = engine.loader.protocol, engine.loader.limits
    with ThreadPoolExecutor(COUNTING_THREADS) as pool:
        return list(pool.map(lambda source: _num_clips(source.path, protocol, limits), sources))


def _num_clips(path: str, protocol: Protocol, limits: Limits) -> int:
    try:
        with local_file(path) as file:
            timeline = probe(file, count=False, limits=limits).timeline
    except MediaError:
        return 0
    return len(plan_clips(timeline, protocol))


def _clips_per_second(
    sources: Sequence[InputPath], engine: Engine, features: FeatureOptions
) -> float:
    """The rate of some seconds, decoding and the start of the pipeline included."""
    num_clips, begun = 0, time.perf_counter()
    for result in engine.run(sources, wanted(features), clips=True):
        num_clips += isinstance(result, ClipResult)
        if time.perf_counter() - begun > MEASURED_SECONDS:
            break
    return num_clips / (time.perf_counter() - begun)


def _row_bytes(columns: Sequence[Column]) -> int:
    """Bytes of a row's numbers."""
    return sum(
        np.dtype(column.kind).itemsize * (column.width or 1)
        for column in columns
        if column.kind != "string"
    )
