"""The model alone over batch sizes."""

import logging
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from hiera_cli.checkpoints.open import LoadedModel
from hiera_cli.errors import UsageError
from hiera_cli.inference.backend import Backend, Wanted
from hiera_cli.tasks.benchmark.comparison import Setting
from hiera_cli.tasks.benchmark.random_model import random_pixels
from hiera_cli.tasks.benchmark.timing import alternate, measure_seconds

logger = logging.getLogger("hiera_cli")

CPU_BATCHES, GPU_BATCHES = (1, 2, 4), (1, 2, 4, 8, 16, 32, 64)
GOOD_ENOUGH = 0.97


@dataclass(frozen=True, slots=True)
class SweepPoint:
    """The model alone at one batch size; percent of the machine's measured matrix peak."""

    batch_size: int
    seconds: float
    views_per_second: float
    percent_of_peak: float


def sweep_batches(
    loaded: LoadedModel,
    backend: Backend,
    sizes: Sequence[int] | None,
    setting: Setting,
    *,
    gflops: float,
    peak: float,
) -> tuple[SweepPoint, ...]:
    """Time a backend over batch sizes, until memory runs out.

    Args:
        loaded: the model that the backend runs.
        backend: what is timed.
        sizes: views in a batch; None for the usual ones on the device.
        setting: the device, and timed calls of each size.
        gflops: arithmetic of a view.
        peak: the machine's matrix peak, in 10^9 operations a second.

    Raises:
        UsageError: not even the smallest batch fits.
    """
    device = setting.device
    sizes = sizes or (CPU_BATCHES if device.type == "cpu" else GPU_BATCHES)
    logger.info("timing %s at batch sizes %s", backend.name, ", ".join(map(str, sizes)))
    runs = _that_fit(loaded, backend, sorted(sizes), device)
    if not runs:
        raise UsageError(f"no batch of {min(sizes)} fits into memory", hint="use a smaller model")
    seconds = alternate(runs, rounds=setting.rounds, device=device)
    medians = {size: statistics.median(values) for size, values in seconds.items()}
    return tuple(
        SweepPoint(size, median, size / median, 100 * size / median * gflops / peak)
        for size, median in medians.items()
    )


def _that_fit(
    loaded: LoadedModel, backend: Backend, sizes: Sequence[int], device: torch.device
) -> dict[int, Callable[[], object]]:
    """A call for each of the ascending sizes that memory holds."""
    pixels = random_pixels(loaded, sizes[-1])
    runs: dict[int, Callable[[], object]] = {}
    for size in sizes:
        run_batch = partial(backend.run, pixels[:size], Wanted())
        try:
            measure_seconds(run_batch, device=device)
        except torch.OutOfMemoryError:
            logger.info("batch size %d does not fit into memory", size)
            break
        runs[size] = run_batch
    return runs


def suggest_batch_size(sweep: Sequence[SweepPoint]) -> int:
    """The smallest batch within a few percent of the best throughput."""
    best = max(point.views_per_second for point in sweep)
    good = [p.batch_size for p in sweep if p.views_per_second >= GOOD_ENOUGH * best]
    return min(good)
