"""What a large extraction would take, worked out from what one view costs.

Two stages run at the same time: cores read (fetch, decode, crop), devices compute. The slower one
decides and the other one waits. Without GPUs the model computes on the cores that read.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hiera_cli.checkpoints.open import LoadedModel
from hiera_cli.errors import UsageError
from hiera_cli.inference.loader import LoaderOptions
from hiera_cli.inference.open import loader_options, model_threads, open_backend
from hiera_cli.inputs import InputPath
from hiera_cli.model.device import choose_device
from hiera_cli.options import EngineOptions
from hiera_cli.tasks.benchmark.costs import (
    ViewCosts,
    measure_costs,
    read_costs,
    stated_costs,
    with_stated,
)
from hiera_cli.tasks.benchmark.options import PlanOptions
from hiera_cli.tasks.benchmark.random_model import open_for_timing
from hiera_cli.tasks.features.extract import DEFAULT_PROTOCOL, feature_shape
from hiera_cli.video.protocols import Protocol
from hiera_cli.video.sampling import Timeline, plan_clips

Bottleneck = Literal["reading", "model"]
SECONDS_PER_HOUR = 3600.0
_ROW_BYTES = 4 + 8 + 8  # number and times of a clip; names are a dictionary
FPS = 30.0  # of the videos; the windows of a protocol are seconds long, whatever the rate
OTHERS = (1, 2, 4, 8, 16, 32, 64)  # cores a GPU, or times as many cores, that are looked at, too


@dataclass(frozen=True, slots=True)
class Workload:
    """What is to be extracted.

    Attributes:
        num_videos: how many.
        seconds: the length of each.
        num_views: of all videos.
        source_bytes: of all files; None where nobody knows.
        output_bytes: of the table, before compression.
    """

    num_videos: int
    seconds: float
    num_views: int
    source_bytes: float | None
    output_bytes: int


@dataclass(frozen=True, slots=True)
class Scenario:
    """What the work would take on some machines.

    Attributes:
        num_cores: of all machines.
        num_gpus: of all machines.
        wall_hours: from the first video to the last, start-up excluded.
        cpu_hours: of cores at work; held are `num_cores` times `wall_hours`.
        gpu_hours: of GPUs at work; held are `num_gpus` times `wall_hours`.
        videos_per_second: of all machines.
        bottleneck: what the other stage waits for.
        source_bytes_per_second: that the store must deliver; None where nobody knows.
    """

    num_cores: int
    num_gpus: int
    wall_hours: float
    cpu_hours: float
    gpu_hours: float
    videos_per_second: float
    bottleneck: Bottleneck
    source_bytes_per_second: float | None


@dataclass(frozen=True, slots=True)
class CapacityPlan:
    """What it would take, and what that rests on.

    Attributes:
        costs: of one view.
        work: what is to be extracted.
        asked: on the machines that were named.
        others: with more and fewer cores.
        balanced_cores_per_gpu: with more cores than this a GPU, GPUs decide; None without GPUs.
    """

    costs: ViewCosts
    work: Workload
    asked: Scenario
    others: tuple[Scenario, ...]
    balanced_cores_per_gpu: float | None


def plan(files: Sequence[InputPath], engine: EngineOptions, options: PlanOptions) -> CapacityPlan:
    """What it would take to extract features of many videos like those.

    Args:
        files: videos to measure on; none where the costs come from elsewhere.
        engine: model, protocol (default `dense`), device and so on.
        options: how many videos, on what.

    Raises:
        UsageError: an option that cannot mean anything, or a number that is missing.
        WeightsError: the model is not available.
        NoInputError: none of the videos can be read.
    """
    loaded = open_for_timing(engine)
    loader = loader_options(engine, loaded.preprocessing, DEFAULT_PROTOCOL)
    costs = _costs(files, loaded, engine, loader, options)
    (width,) = feature_shape(loaded.model.config, "final", "mean")
    work = plan_work(costs, options, loader.protocol, row_bytes=_ROW_BYTES + 4 * width)
    return plan_capacity(costs, work, options)


def _costs(
    files: Sequence[InputPath],
    loaded: LoadedModel,
    engine: EngineOptions,
    loader: LoaderOptions,
    options: PlanOptions,
) -> ViewCosts:
    """Stated, read, or measured on the videos; single rates that are stated replace the others."""
    read_rate, model_rate = options.read_rate, options.model_rate
    if options.rates is None and read_rate is not None and model_rate is not None:
        return stated_costs(read_rate=read_rate, model_rate=model_rate)
    if options.rates is not None:
        costs = read_costs(options.rates)
    else:
        costs = measure_costs(
            files,
            open_backend(loaded, engine),
            loader,
            device=choose_device(engine.device),
            threads=model_threads(engine, loaded.preprocessing),
        )
    return with_stated(costs, read_rate=read_rate, model_rate=model_rate)


def views_of(seconds: float, protocol: Protocol) -> int:
    """The views that a protocol takes from a video of that length."""
    num_frames = max(1, round(seconds * FPS))
    timeline = Timeline(FPS, np.arange(num_frames) / FPS, num_frames / FPS, constant=True)
    return len(plan_clips(timeline, protocol)) * protocol.num_crops


def plan_work(
    costs: ViewCosts, options: PlanOptions, protocol: Protocol, *, row_bytes: int
) -> Workload:
    """How much there is to do."""
    assert options.videos is not None
    seconds = options.seconds or costs.video_seconds
    if seconds is None:
        raise UsageError("the length of the videos is not known", hint="add --seconds 10")
    num_clips = options.videos * views_of(seconds, protocol) // protocol.num_crops
    rate = costs.source_bytes_per_second
    return Workload(
        num_videos=options.videos,
        seconds=seconds,
        num_views=num_clips * protocol.num_crops,
        source_bytes=None if rate is None else options.videos * seconds * rate,
        output_bytes=num_clips * row_bytes,
    )


def plan_capacity(costs: ViewCosts, work: Workload, options: PlanOptions) -> CapacityPlan:
    """Work out what it would take.

    Raises:
        UsageError: the model was timed on cores and GPUs are planned for, or the other way round.
    """
    num_gpus = costs.num_devices if options.gpus is None else options.gpus
    if costs.on_gpu != (num_gpus > 0):
        timed = "a GPU" if costs.on_gpu else "cores"
        raise UsageError(
            f"the plan is for {num_gpus} GPUs, but the model was timed on {timed}",
            hint="add --model-rate VIEWS a second, or --rates FILE that hiera benchmark -f json "
            "wrote on such a machine",
        )
    num_cores = options.cores or _usual_cores(costs, num_gpus)
    return CapacityPlan(
        costs=costs,
        work=work,
        asked=_scenario(costs, work, num_cores, num_gpus),
        others=tuple(_others(costs, work, num_cores, num_gpus)),
        balanced_cores_per_gpu=_balanced(costs) if num_gpus else None,
    )


def _usual_cores(costs: ViewCosts, num_gpus: int) -> int:
    """As many cores a GPU as the machine has that was measured; without GPUs, that machine's."""
    if costs.num_cores is None:
        raise UsageError("the number of cores is not known", hint="add --cores, of all machines")
    return costs.num_cores * max(1, num_gpus) // max(1, costs.num_devices)


def _balanced(costs: ViewCosts) -> float:
    """Cores a GPU for which both stages take the same time."""
    return costs.read_seconds / costs.model_seconds + costs.model_cores


def _others(costs: ViewCosts, work: Workload, cores: int, gpus: int) -> Iterator[Scenario]:
    for factor in OTHERS if gpus else OTHERS[1:5]:
        yield _scenario(costs, work, factor * (gpus or cores), gpus)


def _scenario(costs: ViewCosts, work: Workload, num_cores: int, num_gpus: int) -> Scenario:
    """The slower stage decides."""
    reading = work.num_views * costs.read_seconds
    computing = work.num_views * costs.model_seconds
    beside = computing * costs.model_cores  # what the model, or who drives it, takes of the cores
    if num_gpus:
        free = max(num_cores - num_gpus * costs.model_cores, 0.0)
        stages = {"reading": reading / free if free else math.inf, "model": computing / num_gpus}
        wall = max(stages.values())
        bottleneck: Bottleneck = "model" if stages["model"] >= stages["reading"] else "reading"
    else:  # one process a machine, whose batches are computed one after the other
        num_machines = max(1.0, num_cores / (costs.num_cores or num_cores))
        wall = max((reading + beside) / num_cores, computing / num_machines)
        bottleneck = "model" if beside >= reading else "reading"
    rate = None if work.source_bytes is None else work.source_bytes / wall
    return Scenario(
        num_cores=num_cores,
        num_gpus=num_gpus,
        wall_hours=wall / SECONDS_PER_HOUR,
        cpu_hours=(reading + beside) / SECONDS_PER_HOUR,
        gpu_hours=computing / SECONDS_PER_HOUR if num_gpus else 0.0,
        videos_per_second=work.num_videos / wall,
        bottleneck=bottleneck,
        source_bytes_per_second=rate,
    )
