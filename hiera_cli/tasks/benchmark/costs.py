"""What one view costs: measured on some videos, read from a benchmark, or stated."""

import json
import os
import re
import resource
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from hiera_cli.errors import NoInputError, UsageError
from hiera_cli.inference.backend import Backend, Wanted
from hiera_cli.inference.loader import LoaderOptions, load_batches
from hiera_cli.inputs import InputPath
from hiera_cli.machine import machine_name, usable_cores
from hiera_cli.tasks.benchmark.timing import measure_seconds

NUM_SAMPLES = 16
MODEL_ROUNDS, MODEL_SECONDS = 5, 3.0


@dataclass(frozen=True, slots=True)
class ViewCosts:
    """What one view costs, and on what machine.

    Attributes:
        source: where the figures come from.
        machine: its processor, or its GPU.
        num_cores: cores of that machine; None where nobody says.
        num_devices: GPUs of that machine; 0 where the model was timed on its cores.
        read_seconds: of one core, to read, decode and crop a view.
        model_seconds: of one device (or process), for the model; the copy to it included.
        model_cores: cores that are busy meanwhile: with the model, or with driving the GPU.
        video_seconds: mean length of the videos that were read; None if none were.
        source_bytes_per_second: of those videos; None if none were, or they were no plain files.
    """

    source: str
    machine: str
    num_cores: int | None
    num_devices: int
    read_seconds: float
    model_seconds: float
    model_cores: float
    video_seconds: float | None = None
    source_bytes_per_second: float | None = None

    @property
    def on_gpu(self) -> bool:
        """Whether the model was timed on a GPU."""
        return self.num_devices > 0


def with_stated(
    costs: ViewCosts, *, read_rate: float | None, model_rate: float | None
) -> ViewCosts:
    """The costs with rates that are known otherwise, in views a second; the model's is a GPU's."""
    if read_rate is not None:
        costs = replace(costs, read_seconds=1 / read_rate, source=f"{costs.source}, reading stated")
    if model_rate is None:
        return costs
    return replace(
        costs,
        source=f"{costs.source}, model stated",
        model_seconds=1 / model_rate,
        model_cores=1.0,
        num_devices=max(1, costs.num_devices),
    )


# --------------------------------------------------------------------------------- measured


@dataclass(frozen=True, slots=True)
class _Reading:
    """Views of some videos: how many, what they took of the cores, and some of them."""

    num_views: int
    num_videos: int
    video_seconds: float
    cpu_seconds: float
    pixels: torch.Tensor | None


def measure_costs(
    files: Sequence[InputPath],
    backend: Backend,
    loader: LoaderOptions,
    *,
    device: torch.device,
    threads: int,
) -> ViewCosts:
    """Read some of the videos as a run over all of them would, and time the model on one batch.

    Cores are counted in processor time, so that what else the machine does counts little; the
    start of the decoding process is taken off, because reading them twice starts it once.

    Args:
        files: the videos.
        backend: what runs the model.
        loader: how videos become batches.
        device: where the model runs.
        threads: that compute the model, if that is on cores.

    Raises:
        NoInputError: none of the videos can be read.
    """
    sample = spread(files, NUM_SAMPLES)
    alone = replace(loader, workers=1, isolate=True)
    once, twice = _read(sample, alone), _read([*sample, *sample], alone)
    if once.pixels is None:
        raise NoInputError("none of the videos could be read", hint="hiera probe says why")
    wall, busy = _time_model(backend, once.pixels, loader.batch_size, device)
    on_gpu = device.type == "cuda"
    num_bytes = _size_of(sample)
    return ViewCosts(
        source=f"measured on {once.num_videos} videos",
        machine=torch.cuda.get_device_name(device) if on_gpu else machine_name(),
        num_cores=usable_cores(),
        num_devices=torch.cuda.device_count() if on_gpu else 0,
        read_seconds=read_seconds(once.cpu_seconds, twice.cpu_seconds) / once.num_views,
        model_seconds=wall if on_gpu else busy / threads,
        model_cores=1.0 if on_gpu else float(threads),
        video_seconds=once.video_seconds / once.num_videos,
        source_bytes_per_second=None if num_bytes is None else num_bytes / once.video_seconds,
    )


def read_seconds(once: float, twice: float) -> float:
    """Of reading, without the start: from reading once and twice, start included each time.

    Where so little is read that the noise of the start outweighs it, the start stays in.
    """
    return twice - once if twice > once else once


def spread(files: Sequence[InputPath], num: int) -> list[InputPath]:
    """So many files, evenly spread over all; all where there are no more."""
    if len(files) <= num:
        return list(files)
    return [files[index * len(files) // num] for index in range(num)]


def _read(files: Sequence[InputPath], loader: LoaderOptions) -> _Reading:
    num_views, num_videos, seconds, begun, pixels = 0, 0, 0.0, _cpu_seconds(), None
    for batch in load_batches(files, loader):
        num_views += len(batch.slots)
        pixels = batch.pixels if len(batch.pixels) else pixels
        for info in (end.info for end in batch.ended if end.info is not None):
            num_videos += 1
            seconds += info.timeline.end_seconds - float(info.timeline.times_seconds[0])
    return _Reading(num_views, num_videos, seconds, _cpu_seconds() - begun, pixels)


def _cpu_seconds() -> float:
    """Processor time of this process and of those of its children that have ended."""
    spent = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in spent)


def _time_model(
    backend: Backend, pixels: torch.Tensor, batch_size: int, device: torch.device
) -> tuple[float, float]:
    """Seconds of a view in full batches on the device, and of all cores meanwhile."""
    batch = pixels[torch.arange(batch_size) % len(pixels)]

    def run() -> None:
        backend.run(batch, Wanted()).wait()

    measure_seconds(run, device=device)
    walls, busy, begun = list[float](), list[float](), time.perf_counter()
    while len(walls) < MODEL_ROUNDS or time.perf_counter() - begun < MODEL_SECONDS:
        spent = time.process_time()
        walls.append(measure_seconds(run, device=device))
        busy.append(time.process_time() - spent)
    return statistics.median(walls) / batch_size, statistics.median(busy) / batch_size


def _size_of(files: Sequence[InputPath]) -> float | None:
    try:
        return float(sum(os.path.getsize(file.path) for file in files))  # noqa: PTH202
    except (OSError, ValueError):
        return None  # a URL, or a member of an archive


# ------------------------------------------------------------------------- from a benchmark


def read_costs(path: str) -> ViewCosts:
    """The costs that `hiera benchmark -f json` found, perhaps on another machine.

    Raises:
        UsageError: no such file, or not what the benchmark wrote.
    """
    try:
        found: Any = json.loads(Path(path).read_text(encoding="utf-8"))
        report = found[0] if isinstance(found, list) else found
        seconds = {one["name"]: float(one["seconds_per_view"]) for one in report["stages"]}
        on_gpu = "cuda" in report["backend"]
        return ViewCosts(
            source=path,
            machine=report["machine"],
            num_cores=_cores_of(report["machine"]),
            num_devices=int(on_gpu),
            read_seconds=seconds["decode"] + seconds["preprocess"],
            model_seconds=seconds["copy"] + seconds["model"],
            model_cores=1.0 if on_gpu else float(report["threads"]),
        )
    except OSError as error:
        raise UsageError(f"cannot read --rates '{path}': {error.strerror}") from error
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise UsageError(
            f"--rates '{path}' is not what a benchmark wrote",
            hint="hiera benchmark -f json -o FILE",
        ) from error


def _cores_of(machine: str) -> int | None:
    """The cores in what `machine_name` says; None in the name of a GPU."""
    found = re.search(r"([0-9]{1,5}) cores$", machine)
    return int(found[1]) if found else None


def stated_costs(*, read_rate: float, model_rate: float) -> ViewCosts:
    """Costs of which nothing is measured, on a GPU; rates in views a second."""
    return ViewCosts("stated", "stated", None, 1, 1 / read_rate, 1 / model_rate, 1.0)
