"""The stages that a view goes through, each timed by itself, and then all of them together."""

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, repeat

import torch
from torch import Tensor

from hiera_cli.checkpoints.open import LoadedModel
from hiera_cli.errors import MediaError, NoInputError
from hiera_cli.inference.backend import Backend, Wanted
from hiera_cli.inference.engine import VideoResult, run
from hiera_cli.inference.loader import LoaderOptions
from hiera_cli.inputs import InputPath
from hiera_cli.machine import usable_cores
from hiera_cli.tasks.benchmark.random_model import random_pixels
from hiera_cli.tasks.benchmark.timing import measure_seconds, wait_for
from hiera_cli.video.collector import ClipCollector
from hiera_cli.video.crops import crop_frame
from hiera_cli.video.decode import Finished, Frame, Planned, decode_video

logger = logging.getLogger("hiera_cli")

COPY_ROUNDS = 5
SPARE = 1.2
LONG_ENOUGH_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage by itself, reading on one worker; None where there is nothing to do."""

    name: str
    seconds_per_view: float
    views_per_second: float | None


def stage(name: str, seconds_per_view: float) -> Stage:
    """A stage and its throughput."""
    rate = 1 / seconds_per_view if seconds_per_view > 0 else None
    return Stage(name, seconds_per_view, rate)


def measure_stages(
    files: Sequence[InputPath],
    backend: Backend,
    loader: LoaderOptions,
    *,
    loaded: LoadedModel,
    device: torch.device,
) -> tuple[Stage, ...]:
    """Every stage by itself, then all of them together, over the same number of views.

    Few or short videos are read several times, so that starting up does not count for more than
    it does in earnest.

    Raises:
        NoInputError: none of the videos can be read.
    """
    logger.info("timing decoding, preprocessing and the whole")
    decoding, preprocessing, num_views = read_stages(files, loader)
    pixels = random_pixels(loaded, loader.batch_size)
    backend.run(pixels, Wanted())
    once = measure_seconds(lambda: backend.run(pixels, Wanted()), device=device)
    reading = decoding.seconds_per_view + preprocessing.seconds_per_view
    a_round = num_views * (reading + once / len(pixels))
    times = max(1, math.ceil(LONG_ENOUGH_SECONDS / a_round))
    wall, num_views = _end_to_end(files, times, backend, loader)
    return (
        decoding,
        preprocessing,
        copy_stage(pixels, device),
        stage("model", _model_alone(backend, pixels, num_views, device) / num_views),
        stage("end to end", wall / num_views),
    )


def read_stages(files: Sequence[InputPath], loader: LoaderOptions) -> tuple[Stage, Stage, int]:
    """Decoding and preprocessing of videos, one after the other, in this thread.

    Returns:
        both stages, and the number of views.

    Raises:
        NoInputError: none of the videos can be read.
    """
    decoding = preprocessing = 0.0
    num_views = 0
    for file in files:
        start = time.perf_counter()
        try:
            events = list(decode_video(file.path, loader.protocol, limits=loader.limits))
        except MediaError:
            continue
        middle = time.perf_counter()
        num_views += len(_views(events, loader))
        decoding += middle - start
        preprocessing += time.perf_counter() - middle
    if num_views == 0:
        raise _nothing_read()
    return (
        stage("decode", decoding / num_views),
        stage("preprocess", preprocessing / num_views),
        num_views,
    )


def _nothing_read() -> NoInputError:
    return NoInputError("none of the videos could be read", hint="hiera probe says why")


def _views(events: Sequence[Planned | Frame | Finished], loader: LoaderOptions) -> list[Tensor]:
    """The views (3, T, S, S) of a decoded video, made as the loader makes them."""
    plan, streaming = loader.crop_plan, loader.protocol.num_clips is None
    collector = ClipCollector(
        lambda _, frame: crop_frame(frame, plan), shared=True, streaming=streaming
    )
    return [
        torch.stack([frame[crop_index] for frame in frames], dim=1)
        for event in events
        for _, frames in collector.take(event)
        for crop_index in range(loader.protocol.num_crops)
    ]


def copy_stage(pixels: Tensor, device: torch.device) -> Stage:
    """A batch on its way to the device; nothing on the CPU, which has it already."""
    if device.type == "cpu":
        return stage("copy", 0.0)
    pinned = pixels.pin_memory() if device.type == "cuda" else pixels
    pinned.to(device)
    wait_for(device)
    start = time.perf_counter()
    for _ in range(COPY_ROUNDS):
        pinned.to(device, non_blocking=True)
    wait_for(device)
    return stage("copy", (time.perf_counter() - start) / COPY_ROUNDS / len(pixels))


def _model_alone(backend: Backend, pixels: Tensor, num_views: int, device: torch.device) -> float:
    """Seconds for that many views, in batches of (B, 3, T, S, S)."""

    def all_views() -> None:
        for done in range(0, num_views, len(pixels)):
            backend.run(pixels[: num_views - done], Wanted()).wait()

    return measure_seconds(all_views, device=device)


def _end_to_end(
    files: Sequence[InputPath], times: int, backend: Backend, loader: LoaderOptions
) -> tuple[float, int]:
    """Seconds and number of views of the videos, read so many times."""
    again = chain.from_iterable(repeat(files, times))
    start, num_views = time.perf_counter(), 0
    for result in run(again, backend, loader=loader, wanted=Wanted()):
        num_views += result.num_views if isinstance(result, VideoResult) else 0
    if num_views == 0:
        raise _nothing_read()
    return time.perf_counter() - start, num_views


def percent_of_model(stages: Sequence[Stage]) -> float:
    """End-to-end throughput, in percent of the model's alone."""
    seconds = {one.name: one.seconds_per_view for one in stages}
    return 100 * seconds["model"] / seconds["end to end"]


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
    return max(1, min(needed, usable_cores()))
