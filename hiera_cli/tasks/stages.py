"""The stages that a view goes through before the model, each timed by itself."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hiera_cli.clips import ClipCollector
from hiera_cli.errors import MediaError, NoInputError
from hiera_cli.inputs import InputPath
from hiera_cli.loader import LoaderOptions
from hiera_cli.tasks.timing import wait_for
from hiera_cli.video.decode import Finished, Frame, Planned, decode_video

COPY_ROUNDS = 5


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


def read_stages(files: Sequence[InputPath], loader: LoaderOptions) -> tuple[Stage, Stage]:
    """Decoding and preprocessing of videos, one after the other, in this thread.

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
        raise NoInputError("none of the videos could be read", hint="hiera probe says why")
    return stage("decode", decoding / num_views), stage("preprocess", preprocessing / num_views)


def _views(events: Sequence[Planned | Frame | Finished], loader: LoaderOptions) -> list[Tensor]:
    """The views (3, T, S, S) of a decoded video, made as the loader makes them."""
    collector = ClipCollector(loader.crop_plan, streaming=loader.protocol.num_clips is None)
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
