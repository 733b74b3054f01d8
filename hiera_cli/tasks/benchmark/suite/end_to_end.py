"""Rows of the suite `gpu`: from files to scores, decoded by cores or by the GPU."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, repeat

import torch

from hiera_cli.checkpoints.open import LoadedModel
from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.errors import NoInputError
from hiera_cli.inference.backend import Backend, Wanted, make_backend
from hiera_cli.inference.engine import VideoResult, run
from hiera_cli.inference.loader import LoaderOptions
from hiera_cli.inference.open import loader_options
from hiera_cli.inputs import InputPath
from hiera_cli.options import EngineOptions
from hiera_cli.tasks.benchmark.generated import generated_videos
from hiera_cli.tasks.benchmark.random_model import CHECKPOINT, random_network, random_pixels
from hiera_cli.tasks.benchmark.suite.rows import RowPlan
from hiera_cli.tasks.benchmark.suite.setting import GpuSetting, Network
from hiera_cli.tasks.benchmark.timing import measure_seconds
from hiera_cli.video.hardware import find_hardware

SECTION = "End to end, 340 x 256 H.264"
NUM_VIDEOS, VIDEO_SECONDS, LONG_ENOUGH_SECONDS = 4, 4.0, 8.0
EXPECTED_SECONDS = 25.0


@dataclass(frozen=True, slots=True)
class EndToEndFigures:
    """Videos in, scores out, 5 views of each.

    Attributes:
        percent_of_model: views a second, in percent of the model's alone at that batch.
    """

    workers: int
    batch: int
    views_per_second: float
    videos_per_second: float
    percent_of_model: float


def end_to_end_rows(network: Network, setting: GpuSetting) -> list[RowPlan]:
    """Decoding on the cores, with the resize on either side, and on the GPU."""
    on_gpu = "" if setting.on_cuda else "needs CUDA"
    ways = (
        ("cores, resized by the workers", "none", False, ""),
        ("cores, resized on the device", "none", True, ""),
        ("NVDEC, resized on the device", "cuda", True, on_gpu or _no_nvdec()),
    )
    return [
        RowPlan(
            SECTION,
            f"{network.name}, {name}",
            partial(_measure, network, setting, hwaccel=hwaccel, on_device=on_device),
            obstacle=obstacle,
            expected_seconds=0.0 if setting.tiny else EXPECTED_SECONDS,
        )
        for name, hwaccel, on_device, obstacle in ways
    ]


def _no_nvdec() -> str:
    return "" if find_hardware("auto") == "cuda" else "FFmpeg finds no NVDEC here"


def _measure(
    network: Network, setting: GpuSetting, *, hwaccel: str, on_device: bool
) -> EndToEndFigures:
    engine = EngineOptions(device=str(setting.device), hwaccel=hwaccel)
    loaded = _loaded(network)
    backend = make_backend(loaded, device=str(setting.device))
    loader = loader_options(engine, loaded.preprocessing, "balanced")
    loader = replace(loader, device=setting.device if on_device else None)
    seconds, num = (0.5, 1) if setting.tiny else (VIDEO_SECONDS, NUM_VIDEOS)
    with generated_videos(num=num, seconds=seconds) as files:
        _views(files, 1, backend, loader)  # decoders start, kernels load
        once, _ = _views(files, 1, backend, loader)
        times = 1 if setting.tiny else max(1, round(LONG_ENOUGH_SECONDS / once))
        wall, num_views = _views(files, times, backend, loader)
    rate = num_views / wall
    return EndToEndFigures(
        workers=loader.workers,
        batch=loader.batch_size,
        views_per_second=rate,
        videos_per_second=num * times / wall,
        percent_of_model=100 * rate / _model_rate(loaded, backend, loader, setting.device),
    )


def _loaded(network: Network) -> LoadedModel:
    return LoadedModel(
        model=random_network(network.config),
        name=network.name,
        preprocessing=Preprocessing.for_config(network.config),
        labels=(),
        weights_path=None,
        checkpoint=CHECKPOINT,
        has_head=False,
    )


def _views(
    files: Sequence[InputPath], times: int, backend: Backend, loader: LoaderOptions
) -> tuple[float, int]:
    """Seconds and number of views of the videos, read so many times.

    Raises:
        NoInputError: none of them can be read.
    """
    again = chain.from_iterable(repeat(files, times))
    start, num_views = time.perf_counter(), 0
    for result in run(again, backend, loader=loader, wanted=Wanted()):
        num_views += result.num_views if isinstance(result, VideoResult) else 0
    if num_views == 0:
        raise NoInputError("none of the videos could be read")
    return time.perf_counter() - start, num_views


def _model_rate(
    loaded: LoadedModel, backend: Backend, loader: LoaderOptions, device: torch.device
) -> float:
    """Views a second of the model alone."""
    pixels = random_pixels(loaded, loader.batch_size).to(loader.device or "cpu")
    seconds = [
        measure_seconds(lambda: backend.run(pixels, Wanted()).wait(), device=device)
        for _ in range(4)
    ]
    return len(pixels) / min(seconds[1:])
