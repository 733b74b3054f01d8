"""Where the time goes: decoding, preprocessing, copying, the model, and all of it end to end."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from hiera_cli.checkpoints.open import LoadedModel
from hiera_cli.inference.backend import Backend
from hiera_cli.inference.open import loader_options, model_threads, open_backend
from hiera_cli.inference.precision import keep_record
from hiera_cli.inputs import InputPath
from hiera_cli.machine import machine_name
from hiera_cli.model.device import choose_device, choose_dtype
from hiera_cli.options import EngineOptions, check_at_least
from hiera_cli.tasks.benchmark.comparison import (
    Comparison,
    Setting,
    compare_speed,
    installed_baselines,
    rounded_name,
)
from hiera_cli.tasks.benchmark.peak import matmul_peak_gflops
from hiera_cli.tasks.benchmark.random_model import open_for_timing, view_gflops
from hiera_cli.tasks.benchmark.stages import (
    Stage,
    find_bottleneck,
    measure_stages,
    percent_of_model,
    suggest_workers,
)
from hiera_cli.tasks.benchmark.sweep import SweepPoint, suggest_batch_size, sweep_batches
from hiera_cli.tasks.benchmark.training_steps import TrainingStep, time_training_steps

logger = logging.getLogger("hiera_cli")


@dataclass(frozen=True, slots=True)
class BenchmarkOptions:
    """What is measured.

    Attributes:
        batch_sizes: of the sweep; None for the usual ones on the device.
        rounds: timed calls of everything that takes turns.
        against: names of baselines.
        all_installed: every baseline that is installed as well.
        training: training steps as well.
    """

    batch_sizes: tuple[int, ...] | None = None
    rounds: int = 5
    against: tuple[str, ...] = ()
    all_installed: bool = False
    training: bool = False

    def __post_init__(self) -> None:
        """Refuse values that cannot mean anything.

        Raises:
            UsageError: a number out of range.
        """
        check_at_least(1, rounds=self.rounds)


@dataclass(frozen=True, slots=True)
class BenchmarkReport:
    """All that was measured, on one machine in one run.

    Attributes:
        model, checkpoint: what ran; `random weights` where none were needed.
        backend: what ran it, where and in which precision.
        machine: processor and cores, or GPU.
        threads: CPU threads of the model.
        matmul_peak_gflops: best rate of a large matrix product.
        gflops_per_view: arithmetic of the network.
        stages: decode, preprocess, copy, model, end to end.
        percent_of_model: end-to-end throughput, in percent of the model's alone.
        bottleneck: name of the stage that holds the others up.
        suggested_workers, suggested_batch_size: what this run speaks for.
        sweep: the model alone over batch sizes.
        comparison: other networks; ours first.
        training: training steps; our dense one first.
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
    percent_of_model: float
    bottleneck: str
    suggested_workers: int
    suggested_batch_size: int
    sweep: tuple[SweepPoint, ...]
    comparison: tuple[Comparison, ...]
    training: tuple[TrainingStep, ...]


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
    subject = _open(engine, options)
    loaded, setting = subject.loaded, subject.setting
    sweep = sweep_batches(
        loaded,
        subject.backend,
        options.batch_sizes,
        setting,
        gflops=subject.gflops,
        peak=subject.peak,
    )
    best = suggest_batch_size(sweep)
    loader = loader_options(engine, loaded.preprocessing, "balanced")
    if engine.batch_size == "auto":
        loader = replace(loader, batch_size=best)
    stages = measure_stages(files, subject.backend, loader, loaded=loaded, device=setting.device)
    return BenchmarkReport(
        model=loaded.name,
        checkpoint=loaded.checkpoint,
        backend=subject.backend.name,
        machine=_describe(setting.device),
        torch_version=torch.__version__,
        threads=model_threads(engine, loaded.preprocessing),
        matmul_peak_gflops=subject.peak,
        gflops_per_view=subject.gflops,
        stages=stages,
        percent_of_model=percent_of_model(stages),
        bottleneck=find_bottleneck(stages, loader.workers),
        suggested_workers=suggest_workers(stages),
        suggested_batch_size=best,
        sweep=sweep,
        comparison=_compare(subject, options, cache_dir=engine.cache_dir),
        training=_train(subject, options),
    )


@dataclass(frozen=True, eq=False, slots=True)
class _Subject:
    """What is measured and under which conditions; see `BenchmarkReport`."""

    loaded: LoadedModel
    backend: Backend
    setting: Setting
    peak: float
    gflops: float


def _open(engine: EngineOptions, options: BenchmarkOptions) -> _Subject:
    if engine.threads is not None:
        torch.set_num_threads(engine.threads)
    device = choose_device(engine.device)
    setting = Setting(device, choose_dtype(engine.dtype, device), rounds=options.rounds)
    loaded = open_for_timing(engine)
    logger.info("measuring the machine's matrix peak")
    peak, gflops = matmul_peak_gflops(device, setting.dtype), view_gflops(loaded)
    return _Subject(loaded, open_backend(loaded, engine), setting, peak, gflops)


def _compare(
    subject: _Subject, options: BenchmarkOptions, *, cache_dir: str | None
) -> tuple[Comparison, ...]:
    loaded = subject.loaded
    names = [*(installed_baselines(loaded) if options.all_installed else ()), *options.against]
    if not names:
        return ()
    found = compare_speed(loaded, names, subject.setting, peak_gflops=subject.peak)
    if subject.setting.device.type == "cpu" and subject.setting.dtype == torch.float32:
        _keep_precision(loaded, found, cache_dir)
    return found


def _keep_precision(
    loaded: LoadedModel, found: Sequence[Comparison], cache_dir: str | None
) -> None:
    """Keep how bfloat16 did, where it took part: `--dtype auto` goes by that."""
    for one in found:
        if one.name == rounded_name(loaded.name, "bfloat16") and one.deviation is not None:
            path = keep_record(
                loaded.model.config,
                model=loaded.name,
                gain=1 / one.times_ours,
                deviation=one.deviation,
                cache_dir=cache_dir,
            )
            logger.info("%s is what --dtype auto goes by from now on", path)


def _train(subject: _Subject, options: BenchmarkOptions) -> tuple[TrainingStep, ...]:
    config = subject.loaded.model.config
    return time_training_steps(config, subject.setting) if options.training else ()


def _describe(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else machine_name()
