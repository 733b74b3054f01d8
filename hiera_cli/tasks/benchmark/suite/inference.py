"""Rows of the suite `gpu`: a network alone, at the batch that it is fastest at."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from hiera_cli.inference.graphs import GraphedForward, record_on_cuda, rerun
from hiera_cli.model.device import dtype_name
from hiera_cli.model.hiera import Hiera
from hiera_cli.tasks.benchmark.baselines import HIERA_OPTIM, HIERA_TRANSFORMER, Baseline
from hiera_cli.tasks.benchmark.peak import count_gflops
from hiera_cli.tasks.benchmark.random_model import random_network
from hiera_cli.tasks.benchmark.suite.rows import RowPlan
from hiera_cli.tasks.benchmark.suite.setting import (
    GpuSetting,
    Network,
    peak_gflops,
    peak_memory_gb,
)
from hiera_cli.tasks.benchmark.timing import alternate, measure_seconds, median_ratio

SECTION = "Inference"
BATCHES, TINY_BATCHES = (8, 16, 32, 64, 128), (1, 2)
GAIN = 1.03  # a larger batch has to bring more than this
SECONDS, COMPILING_SECONDS = 6.0, 60.0

Forward = Callable[[Tensor], object]


@dataclass(frozen=True, slots=True)
class InferenceFigures:
    """A network at its best batch.

    Attributes:
        times_eager: our eager network's time over its own at that batch, median over the rounds.
        percent_of_peak: of the device's measured matrix peak in that type.
        memory_gb: most memory of the device, weights included; None on the CPU.
    """

    batch: int
    clips_per_second: float
    times_eager: float
    percent_of_peak: float
    memory_gb: float | None


@dataclass(frozen=True, eq=False, slots=True)
class Path:
    """One way to run a network; what it is built from is ours, with its weights."""

    name: str
    build: Callable[[nn.Module, GpuSetting], Forward]
    baseline: Baseline | None = None
    compiles: bool = False

    @property
    def obstacle(self) -> str:
        """Why it cannot be taken here."""
        missing = self.baseline.missing if self.baseline else ()
        return f"{' and '.join(missing)} not installed" if missing else ""


def _eager(ours: nn.Module, _setting: GpuSetting) -> Forward:
    return ours


def _graphed(ours: nn.Module, setting: GpuSetting) -> Forward:
    record = record_on_cuda if setting.on_cuda else rerun
    return GraphedForward(lambda x: (ours(x),), record)


def _compiled(ours: nn.Module, setting: GpuSetting) -> nn.Module:
    options: dict[str, Any] | None = None if setting.tiny else {"freezing": True}
    compiled = torch.compile(ours, dynamic=False, backend=setting.compiler, options=options)
    return cast(nn.Module, compiled)


def _compiled_and_graphed(ours: nn.Module, setting: GpuSetting) -> Forward:
    return _graphed(_compiled(ours, setting), setting)


def _theirs(baseline: Baseline, ours: nn.Module, setting: GpuSetting) -> Forward:
    parameter = next(ours.parameters())
    with torch.device(setting.device):
        network = baseline.build(ours)  # type: ignore[arg-type]
    return network.to(setting.device, parameter.dtype)


EAGER = Path("eager", _eager)
PATHS = (
    EAGER,
    Path("CUDA graph", _graphed),
    Path("hiera-transformer", partial(_theirs, HIERA_TRANSFORMER), HIERA_TRANSFORMER),
    Path("hiera-optim", partial(_theirs, HIERA_OPTIM), HIERA_OPTIM),
    Path("compiled", _compiled, compiles=True),
    Path("compiled, CUDA graph", _compiled_and_graphed, compiles=True),
)


def inference_rows(
    network: Network, dtype: torch.dtype, paths: Sequence[Path], setting: GpuSetting
) -> list[RowPlan]:
    """A row for each way to run a network in one type."""
    return [
        RowPlan(
            SECTION,
            f"{network.name}, {dtype_name(dtype)}, {path.name}",
            partial(_measure, network, dtype, path, setting),
            obstacle=path.obstacle,
            expected_seconds=0.0 if setting.tiny else _expected(path),
        )
        for path in paths
    ]


def _expected(path: Path) -> float:
    return COMPILING_SECONDS if path.compiles else SECONDS


@torch.inference_mode()
def _measure(
    network: Network, dtype: torch.dtype, path: Path, setting: GpuSetting
) -> InferenceFigures:
    ours = random_network(network.config, device=setting.device).to(dtype)
    forward = path.build(ours, setting)
    sizes = TINY_BATCHES if setting.tiny else BATCHES
    if path.compiles:  # each size would be compiled for
        batch = sizes[len(sizes) // 2]
    else:
        batch = best_batch(
            lambda size: forward(_noise(network, size, dtype, setting)), sizes, setting.device
        )
    x = _noise(network, batch, dtype, setting)
    memory = peak_memory_gb(lambda: forward(x), setting)
    runs = {"it": lambda: forward(x), "eager": lambda: ours(x)}
    seconds = alternate(runs, rounds=setting.rounds, device=setting.device)
    rate = batch / statistics.median(seconds["it"])
    with torch.device("meta"):
        gflops = count_gflops(Hiera(network.config), (1, *network.clip_shape))
    return InferenceFigures(
        batch=batch,
        clips_per_second=rate,
        times_eager=median_ratio(seconds["eager"], seconds["it"]),
        percent_of_peak=100 * rate * gflops / peak_gflops(setting, dtype),
        memory_gb=memory,
    )


def _noise(network: Network, size: int, dtype: torch.dtype, setting: GpuSetting) -> Tensor:
    return torch.randn(size, *network.clip_shape, device=setting.device, dtype=dtype)


def best_batch(run: Callable[[int], object], sizes: Sequence[int], device: torch.device) -> int:
    """The size of the best throughput among ascending ones, until memory or the gain runs out.

    Raises:
        OutOfMemoryError: not even the smallest fits.
    """
    best, best_rate = sizes[0], 0.0
    for size in sizes:
        try:
            run(size)
            seconds = min(measure_seconds(partial(run, size), device=device) for _ in range(3))
        except torch.OutOfMemoryError:
            if size == sizes[0]:
                raise
            break
        if size / seconds < GAIN * best_rate:
            break
        best, best_rate = size, size / seconds
    return best
