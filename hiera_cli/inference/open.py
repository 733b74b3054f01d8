"""From options to a running engine: the model, what runs it, and how videos reach it."""

from dataclasses import replace
from typing import cast

import torch

from hiera_cli.checkpoints.open import LoadedModel, open_model
from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.checkpoints.transfer import Progress
from hiera_cli.errors import UsageError
from hiera_cli.inference.backend import Backend, make_backend
from hiera_cli.inference.engine import Engine
from hiera_cli.inference.loader import LoaderOptions
from hiera_cli.inference.precision import measured_dtype
from hiera_cli.machine import usable_cores
from hiera_cli.model.device import choose_device
from hiera_cli.model.resize import resized
from hiera_cli.options import (
    DtypeName,
    EngineOptions,
    ProtocolName,
    auto_or_number,
    parse_input_size,
)
from hiera_cli.video.decode import Limits
from hiera_cli.video.hardware import find_hardware
from hiera_cli.video.protocols import Protocol, make_protocol

MAX_WORKERS = 16
FULL_VIEW = 16 * 224 * 224  # pixels


def open_engine(
    options: EngineOptions,
    *,
    protocol: ProtocolName = "balanced",
    need_head: bool = True,
    exact: bool = True,
    progress: Progress | None = None,
) -> Engine:
    """Load the model that the options name and get it ready.

    Args:
        options: the user's choices.
        protocol: the protocol to use where the options name none.
        need_head: whether class scores are needed; MAE-only weights are refused then.
        exact: whether `--dtype auto` is float32 on the CPU whatever was measured there.
        progress: told how many bytes of how many a download has brought.

    Raises:
        UsageError: an option that cannot mean anything.
        WeightsError: the model or its weights are not available or do not fit.
    """
    options = replace(options, protocol=options.protocol or protocol)
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    loaded = open_model(
        options.model,
        weights=options.weights,
        labels=options.labels,
        offline=options.offline,
        cache_dir=options.cache_dir,
        need_head=need_head,
        progress=progress,
    )
    if options.input_size is not None:
        loaded = at_input_size(loaded, parse_input_size(options.input_size))
    if not exact:
        dtype = cast(DtypeName, measured_dtype(options, loaded.model.config))
        options = replace(options, dtype=dtype)
    backend = open_backend(loaded, options)
    return Engine(loaded, backend, loader_options(options, loaded.preprocessing, protocol))


def at_input_size(loaded: LoadedModel, input_size: tuple[int, ...]) -> LoadedModel:
    """The model for inputs (T, H, W) or (H, W) other than those that it was trained at.

    Raises:
        UsageError: a video model without frames, or an image model with them.
        WeightsError: whole mask units do not fill that size; the hint says what does.
    """
    before = loaded.preprocessing
    if len(input_size) != len(loaded.model.config.input_size):
        want = "FRAMESxPIXELS, as 32x224" if loaded.model.config.is_video else "PIXELS, as 448"
        raise UsageError(f"--input-size does not fit {loaded.name}", hint=f"use {want}")
    crop_size = input_size[-1]
    preprocessing = replace(
        before,
        num_frames=input_size[0] if loaded.model.config.is_video else 1,
        crop_size=crop_size,
        short_side=max(crop_size, round(crop_size * before.short_side / before.crop_size)),
    )
    return replace(loaded, model=resized(loaded.model, input_size), preprocessing=preprocessing)


def open_backend(loaded: LoadedModel, options: EngineOptions) -> Backend:
    """What runs the model, as the options ask for.

    Raises:
        UsageError: an unknown backend, device or dtype, or a model that was not exported.
    """
    return make_backend(
        loaded,
        name=options.backend,
        device=options.device,
        dtype=options.dtype,
        cache_dir=options.cache_dir,
        threads=model_threads(options, loaded.preprocessing),
    )


def plan_protocol(options: EngineOptions, preprocessing: Preprocessing, default: str) -> Protocol:
    """The protocol that the options ask for, with the model's clip length."""
    chosen = make_protocol(
        options.protocol or default,
        clips=options.clips,
        crops=options.crops,
        hop_seconds=options.hop,
        num_frames=preprocessing.num_frames,
        frame_stride=preprocessing.frame_stride,
    )
    return replace(chosen, sampling=preprocessing.sampling)


def loader_options(
    options: EngineOptions, preprocessing: Preprocessing, protocol: str
) -> LoaderOptions:
    """How videos become batches for a model on this machine."""
    on_gpu = _on_gpu(options)
    return LoaderOptions(
        protocol=plan_protocol(options, preprocessing, protocol),
        preprocessing=preprocessing,
        batch_size=auto_or_number("--batch-size", options.batch_size)
        or automatic_batch_size(preprocessing, on_gpu=on_gpu),
        workers=auto_or_number("--workers", options.workers)
        or automatic_workers(preprocessing, on_gpu=on_gpu, cores=usable_cores()),
        limits=replace(Limits.of(options), hardware=find_hardware(options.hwaccel)),
        isolate=options.isolate,
        square_pixels=options.square_pixels,
        pin_memory=on_gpu,
        device=_cropping_device(options),
    )


def automatic_batch_size(preprocessing: Preprocessing, *, on_gpu: bool) -> int:
    """Views a batch: enough pixels to fill the device, not more."""
    full_views = 32 if on_gpu else 2
    return max(1, round(full_views * FULL_VIEW / _view_size(preprocessing)))


def automatic_workers(preprocessing: Preprocessing, *, on_gpu: bool, cores: int) -> int:
    """Videos decoded at once, each on one core.

    A GPU waits for decoding, so that all cores but the model's own work for it. On the CPU model
    and decoding share the cores: a large model needs little decoded (a view of Hiera-B keeps a
    core busy for 4 s, decoding it for 0.04 s), a small one needs all cores.
    """
    if on_gpu:
        return max(1, min(MAX_WORKERS, cores - 1))
    share = cores if _is_small(preprocessing) else cores // 4
    return max(1, min(MAX_WORKERS, share))


def model_threads(options: EngineOptions, preprocessing: Preprocessing) -> int:
    """CPU threads that the model computes with.

    A small model leaves the cores to the decoders. Its layers take less than a millisecond, and
    threads that share cores with decoders wait for one another after every layer: with one of two
    cores busy otherwise, a view of camera-motion took 64 ms with one thread, 159 ms with two.
    """
    if options.threads is not None or _on_gpu(options) or not _is_small(preprocessing):
        return torch.get_num_threads()
    return max(1, min(torch.get_num_threads(), usable_cores() // 4))


def _on_gpu(options: EngineOptions) -> bool:
    return options.device != "cpu" and torch.cuda.is_available()


def _cropping_device(options: EngineOptions) -> torch.device | None:
    """The GPU, where it runs the model itself; the CPU's cores have enough to do with decoding."""
    in_torch = options.backend in ("auto", "torch", "compile")
    return choose_device(options.device) if _on_gpu(options) and in_torch else None


def _is_small(preprocessing: Preprocessing) -> bool:
    """Whether a view costs less in the model than in decoding."""
    return _view_size(preprocessing) < FULL_VIEW / 4


def _view_size(preprocessing: Preprocessing) -> int:
    """Pixels of a view, over all frames."""
    return preprocessing.num_frames * preprocessing.crop_size**2
