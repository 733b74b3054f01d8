"""Where the time goes: decoding, preprocessing, copying, the model, and all of it end to end."""

import logging
import math
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch

from hiera_cli.backend import Backend, Wanted, choose_device, choose_dtype, make_backend
from hiera_cli.engine import VideoResult, run
from hiera_cli.errors import NoInputError, UsageError
from hiera_cli.exports import machine_name
from hiera_cli.inputs import InputPath
from hiera_cli.loader import LoaderOptions
from hiera_cli.options import EngineOptions
from hiera_cli.pipeline import loader_options, set_threads
from hiera_cli.tasks.comparison import (
    Comparison,
    Setting,
    compare_speed,
    installed_opponents,
)
from hiera_cli.tasks.machine import matmul_peak_gflops
from hiera_cli.tasks.random_model import open_for_timing, random_pixels, view_gflops
from hiera_cli.tasks.stages import Stage, copy_stage, read_stages, stage
from hiera_cli.tasks.timing import alternate, measure_seconds
from hiera_cli.weights import LoadedModel

logger = logging.getLogger("hiera_cli")

CPU_BATCHES, GPU_BATCHES = (1, 2, 4), (1, 2, 4, 8, 16, 32, 64)
GOOD_ENOUGH = 0.97
SPARE = 1.2


@dataclass(frozen=True, slots=True)
class BenchmarkOptions:
    """What is measured.

    Attributes:
        batch_sizes: of the sweep; None for the usual ones on the device.
        rounds: timed calls of everything that takes turns.
        against: names of contenders.
        everybody: every opponent that is installed as well.
    """

    batch_sizes: tuple[int, ...] | None = None
    rounds: int = 5
    against: tuple[str, ...] = ()
    everybody: bool = False


@dataclass(frozen=True, slots=True)
class SweepPoint:
    """The model alone at one batch size; percent of the machine's measured matrix peak."""

    batch_size: int
    seconds: float
    views_per_second: float
    percent_of_peak: float


@dataclass(frozen=True, slots=True)
class BenchmarkReport:
    """All that was measured, on one machine in one run.

    Attributes:
        model, checkpoint: what ran; `random weights` where none were needed.
        backend: what ran it, where and in which precision.
        machine: processor and cores, or GPU.
        threads: CPU threads of PyTorch.
        matmul_peak_gflops: best rate of a large matrix product.
        gflops_per_view: arithmetic of the network.
        stages: decode, preprocess, copy, model, end to end.
        bottleneck: name of the stage that holds the others up.
        suggested_workers, suggested_batch_size: what this run speaks for.
        sweep: the model alone over batch sizes.
        comparison: other networks; ours first.
    """

    model: str
    checkpoint: str
    backend: str
    machine: str
    torch_version: str
    threads: int
    matmul_peak_gflops: float
    gflops_per_view: float
    stages: tuple[Stage, ...]
    bottleneck: str
    suggested_workers: int
    suggested_batch_size: int
    sweep: tuple[SweepPoint, ...]
    comparison: tuple[Comparison, ...]


def benchmark(
    files: Sequence[InputPath], engine: EngineOptions, options: BenchmarkOptions
) -> BenchmarkReport:
    """Measure a model and everything before it.

    Args:
        files: videos to read.
        engine: model, protocol, backend, device and so on, as any command takes them.
        options: what is measured.

    Raises:
        UsageError: an option that cannot mean anything.
        WeightsError: the model is not available.
        NoInputError: none of the videos can be read.
    """
    set_threads(engine.threads)
    device = choose_device(engine.device)
    dtype = choose_dtype(engine.dtype, device)
    loaded = open_for_timing(engine)
    logger.info("measuring the machine's matrix peak")
    peak = matmul_peak_gflops(device, dtype)
    backend = make_backend(
        loaded,
        name=engine.backend,
        device=engine.device,
        dtype=engine.dtype,
        cache_dir=engine.cache_dir,
    )
    gflops = view_gflops(loaded)
    sweep = sweep_batches(loaded, backend, options, device=device, gflops=gflops, peak=peak)
    best = suggest_batch_size(sweep)
    loader = loader_options(engine, loaded.preprocessing, "balanced")
    if engine.batch_size == "auto":
        loader = replace(loader, batch_size=best)
    stages = measure_stages(files, backend, loader, loaded=loaded, device=device)
    comparison: tuple[Comparison, ...] = ()
    names = [*(installed_opponents(loaded) if options.everybody else ()), *options.against]
    if names:
        setting = Setting(device, dtype, batch_size=1, rounds=options.rounds)
        comparison = compare_speed(loaded, names, setting, peak_gflops=peak)
    return BenchmarkReport(
        model=loaded.name,
        checkpoint=loaded.checkpoint,
        backend=backend.name,
        machine=_describe(device),
        torch_version=torch.__version__,
        threads=torch.get_num_threads(),
        matmul_peak_gflops=peak,
        gflops_per_view=gflops,
        stages=stages,
        bottleneck=find_bottleneck(stages, loader.workers),
        suggested_workers=suggest_workers(stages),
        suggested_batch_size=best,
        sweep=sweep,
        comparison=comparison,
    )


def sweep_batches(
    loaded: LoadedModel,
    backend: Backend,
    options: BenchmarkOptions,
    *,
    device: torch.device,
    gflops: float,
    peak: float,
) -> tuple[SweepPoint, ...]:
    """The model alone over batch sizes, until memory runs out."""
    sizes = options.batch_sizes or (CPU_BATCHES if device.type == "cpu" else GPU_BATCHES)
    logger.info("timing %s at batch sizes %s", backend.name, ", ".join(map(str, sizes)))
    pixels = random_pixels(loaded, max(sizes))
    runs: dict[int, Callable[[], object]] = {}
    for size in sorted(sizes):
        run_batch = partial(backend.run, pixels[:size], Wanted())
        try:
            measure_seconds(run_batch, device=device)
        except torch.OutOfMemoryError:
            logger.info("batch size %d does not fit into memory", size)
            break
        runs[size] = run_batch
    if not runs:
        raise UsageError(f"no batch of {min(sizes)} fits into memory", hint="use a smaller model")
    seconds = alternate(runs, rounds=options.rounds, device=device)
    medians = {size: statistics.median(values) for size, values in seconds.items()}
    return tuple(
        SweepPoint(size, median, size / median, 100 * size / median * gflops / peak)
        for size, median in medians.items()
    )


def measure_stages(
    files: Sequence[InputPath],
    backend: Backend,
    loader: LoaderOptions,
    *,
    loaded: LoadedModel,
    device: torch.device,
) -> tuple[Stage, ...]:
    """Every stage by itself, then all of them together.

    Raises:
        NoInputError: none of the videos can be read.
    """
    logger.info("timing decoding, preprocessing and the whole")
    pixels = random_pixels(loaded, loader.batch_size)
    model = alternate({"": partial(backend.run, pixels, Wanted())}, rounds=3, device=device)[""]
    return (
        *read_stages(files, loader),
        copy_stage(pixels, device),
        stage("model", statistics.median(model) / loader.batch_size),
        _end_to_end(files, backend, loader),
    )


def _end_to_end(files: Sequence[InputPath], backend: Backend, loader: LoaderOptions) -> Stage:
    start, num_views = time.perf_counter(), 0
    for result in run(files, backend, loader=loader, wanted=Wanted()):
        num_views += result.num_views if isinstance(result, VideoResult) else 0
    if num_views == 0:
        raise NoInputError("none of the videos could be read", hint="hiera probe says why")
    return stage("end to end", (time.perf_counter() - start) / num_views)


def find_bottleneck(stages: Sequence[Stage], workers: int) -> str:
    """The stage that the others wait for; decoding and preprocessing share the workers."""
    seconds = {one.name: one.seconds_per_view for one in stages}
    reading = (seconds["decode"] + seconds["preprocess"]) / workers
    computing = seconds["model"] + seconds["copy"]
    candidates = ("decode", "preprocess") if reading > computing else ("model", "copy")
    return max(candidates, key=seconds.__getitem__)


def suggest_workers(stages: Sequence[Stage]) -> int:
    """Videos decoded at once so that the model never waits, as far as there are cores."""
    seconds = {one.name: one.seconds_per_view for one in stages}
    reading = seconds["decode"] + seconds["preprocess"]
    needed = math.ceil(SPARE * reading / (seconds["model"] + seconds["copy"]))
    return max(1, min(needed, os.cpu_count() or 1))


def suggest_batch_size(sweep: Sequence[SweepPoint]) -> int:
    """The smallest batch within a few percent of the best throughput."""
    best = max(point.views_per_second for point in sweep)
    good = [p.batch_size for p in sweep if p.views_per_second >= GOOD_ENOUGH * best]
    return min(good)


def _describe(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else machine_name()
