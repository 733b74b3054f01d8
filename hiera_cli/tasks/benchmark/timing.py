"""Timing that can be trusted on a shared machine: baselines take turns, medians are kept."""

import resource
import statistics
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

import torch

Name = TypeVar("Name", str, int)


def measure_seconds(run: Callable[[], object], *, device: torch.device | None = None) -> float:
    """Wall-clock seconds of one call, until the device has finished."""
    wait_for(device)
    start = time.perf_counter()
    run()
    wait_for(device)
    return time.perf_counter() - start


def alternate(
    runs: Mapping[Name, Callable[[], object]], *, rounds: int, device: torch.device | None = None
) -> dict[Name, tuple[float, ...]]:
    """Seconds of every baseline in every round.

    Each is called once to warm up; then in every round each has its turn, so that what else the
    machine does meets all of them alike.

    Args:
        runs: the baselines by name.
        rounds: timed calls of each.
        device: what has to be waited for.
    """
    for run in runs.values():
        measure_seconds(run, device=device)
    seconds: dict[Name, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            seconds[name].append(measure_seconds(run, device=device))
    return {name: tuple(values) for name, values in seconds.items()}


def median_ratio(numerators: tuple[float, ...], denominators: tuple[float, ...]) -> float:
    """Median over the rounds of the ratio within a round."""
    pairs = zip(numerators, denominators, strict=True)
    return statistics.median(above / below for above, below in pairs)


def cpu_seconds() -> float:
    """Processor time so far, of this process and of its children that have ended."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, who))


def wait_for(device: torch.device | None) -> None:
    """Return when the device has nothing left to do."""
    if device is not None and device.type == "cuda":
        torch.cuda.synchronize(device)
    if device is not None and device.type == "mps":
        torch.mps.synchronize()
