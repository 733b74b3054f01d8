"""Exporting a model to another runtime, and refusing the result when it deviates.

Every export takes raw pixels, uint8 (B, 3, T, H, W) or (B, 3, H, W), with any batch size, and
gives logits (B, K) and pooled features (B, D): normalisation is part of it.
"""

import logging
import statistics
from collections.abc import Iterable
from importlib.metadata import version
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from hiera_cli.checkpoints.open import LoadedModel
from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.errors import HieraError, NoInputError, UsageError
from hiera_cli.exports.record import ExportRecord, write_record
from hiera_cli.exports.runtimes import open_export, write_export
from hiera_cli.exports.variants import Variant
from hiera_cli.files import replacing_folder
from hiera_cli.inference.loader import LoaderOptions, load_batches
from hiera_cli.inference.pixel_model import PixelModel, pixel_model
from hiera_cli.inputs import InputPath
from hiera_cli.machine import machine_name
from hiera_cli.tasks.agreement import Agreement, as_tensors, compare, concatenate, worst
from hiera_cli.tasks.benchmark.timing import alternate
from hiera_cli.video.info import DEFAULT_LIMITS, Limits
from hiera_cli.video.protocols import make_protocol

logger = logging.getLogger("hiera_cli")

MAX_DEVIATION = 1e-3
MIN_INT8_COSINE = 0.95
MIN_INT8_AGREEMENT = 0.9
TIMING_ROUNDS = 5


class ExportDeviatesError(HieraError):
    """An export whose outputs are not those of the model; nothing was kept."""


def read_views(
    inputs: Iterable[InputPath],
    preprocessing: Preprocessing,
    *,
    num_views: int,
    clips: int = 2,
    limits: Limits = DEFAULT_LIMITS,
) -> Tensor:
    """Center crops of clips spread over the videos, as the loader gives them.

    Args:
        inputs: videos, read in order until there are enough views.
        preprocessing: of the model.
        num_views: views that are taken at most.
        clips: views of each video.
        limits: bounds on what a file may cost, and its frame rate where it states a wrong one.

    Returns:
        (N, 3, T, H, W) or (N, 3, H, W) float32 in 0..255.

    Raises:
        NoInputError: no video could be read.
    """
    protocol = make_protocol(
        "fast",
        clips=clips,
        num_frames=preprocessing.num_frames,
        frame_stride=preprocessing.frame_stride,
    )
    options = LoaderOptions(protocol, preprocessing, batch_size=1, limits=limits, isolate=False)
    batches = (batch.pixels for batch in load_batches(inputs, options) if len(batch.pixels))
    views = list(islice(batches, num_views))
    if not views:
        raise NoInputError("none of the clips could be read", hint="hiera probe says why")
    return torch.cat(views)


def export_model(
    loaded: LoadedModel,
    variant: Variant,
    folder: Path,
    *,
    views: Tensor,
    calibration: Tensor | None = None,
) -> ExportRecord:
    """Export a model into a folder, which appears only when the export is verified.

    Args:
        loaded: on the CPU, in float32.
        variant: see `exports.find_variant`.
        folder: replaced if it is there.
        views: real views (N, 3, T, H, W) or (N, 3, H, W) in 0..255 to compare on.
        calibration: views for int8.

    Raises:
        UsageError: int8 without views to calibrate on.
        ExportDeviatesError: outputs differ from PyTorch's by more than rounding explains.
        OutputError: the folder cannot be written.
    """
    if variant.int8 and calibration is None:
        raise UsageError("int8 needs clips to calibrate on", hint="give --calibrate CLIPS")
    module = pixel_model(loaded)
    with replacing_folder(folder) as part:
        logger.info("exporting %s as %s", loaded.name, variant.name)
        write_variant(module, variant, part, example=views[:1], calibration=calibration)
        logger.info("verifying on %d views", len(views))
        agreement = verify(module, part, variant, views)
        seconds = _time_one_view(module, part, variant, to_uint8(views[:1]))
        record = _record(loaded, variant, agreement, len(views), seconds)
        write_record(part, record)
    return record


def write_variant(
    module: PixelModel,
    variant: Variant,
    folder: Path,
    *,
    example: Tensor,
    calibration: Tensor | None = None,
) -> None:
    """Write the files of an export; arguments as in `export_model`."""
    rounded = None if calibration is None else [v[None].numpy() for v in to_uint8(calibration)]
    write_export(capture(module, example), variant, folder, calibration=rounded)


def capture(module: PixelModel, example: Tensor) -> torch.export.ExportedProgram:
    """The model as a graph over uint8 pixels with a dynamic batch.

    Args:
        module: in eval mode.
        example: a view (1, 3, T, H, W) or (1, 3, H, W) in 0..255; only its shape matters.
    """
    pair = to_uint8(example).expand(2, *example.shape[1:]).contiguous()
    batch = torch.export.Dim("batch", min=1, max=4096)
    with torch.no_grad():
        return torch.export.export(module, (pair,), dynamic_shapes=({0: batch},))


def verify(module: PixelModel, folder: Path, variant: Variant, views: Tensor) -> Agreement:
    """Compare an export on disk with eager PyTorch: as uint8 one by one, as float32 in a batch.

    Raises:
        ExportDeviatesError: the difference is larger than the variant may have.
    """
    rounded = to_uint8(views)
    takes_uint8 = open_export(folder, variant, takes="uint8")
    singles = [as_tensors(takes_uint8(view[None].numpy())) for view in rounded]
    with torch.inference_mode():
        agreement = compare(concatenate(singles), module(rounded))
        if variant.runs:
            takes_float32 = open_export(folder, variant, takes="float32")
            batch = as_tensors(takes_float32(views.numpy()))
            agreement = worst(agreement, compare(batch, module(views)))
    if not is_acceptable(agreement, variant):
        raise ExportDeviatesError(
            f"the {variant.name} export deviates from PyTorch: outputs by {agreement.deviation:.1e}"
            f", features' cosine {agreement.feature_cosine:.4f}, same top-1 on"
            f" {agreement.top1_agreement:.0%} of {len(views)} views; nothing was kept",
            hint="calibrate on more clips like your own" if variant.int8 else "please report this",
        )
    return agreement


def is_acceptable(agreement: Agreement, variant: Variant) -> bool:
    """Whether an export may be used: equal up to rounding, or nearly so when quantised."""
    if variant.int8:
        close = agreement.feature_cosine >= MIN_INT8_COSINE
        return close and agreement.top1_agreement >= MIN_INT8_AGREEMENT
    return agreement.deviation <= MAX_DEVIATION


def to_uint8(pixels: Tensor) -> Tensor:
    """Pixels in 0..255 of any dtype, rounded to uint8."""
    return pixels.round().clamp(0, 255).to(torch.uint8) if pixels.is_floating_point() else pixels


def _time_one_view(
    module: PixelModel, folder: Path, variant: Variant, view: Tensor
) -> tuple[float, float]:
    """Median seconds of one view: (export, eager PyTorch), taking turns."""
    forward = open_export(folder, variant, takes="uint8")

    @torch.inference_mode()
    def eager() -> object:
        return module(view)

    runs = {"export": lambda: forward(view.numpy()), "eager": eager}
    seconds = alternate(runs, rounds=TIMING_ROUNDS)
    return statistics.median(seconds["export"]), statistics.median(seconds["eager"])


def _record(
    loaded: LoadedModel,
    variant: Variant,
    agreement: Agreement,
    num_views: int,
    seconds: tuple[float, float],
) -> ExportRecord:
    return ExportRecord(
        model=f"{loaded.name}.{loaded.checkpoint}",
        weights_sha256=loaded.weights_sha256,
        variant=variant.name,
        num_clips=num_views,
        deviation=agreement.deviation,
        feature_cosine=agreement.feature_cosine,
        top1_agreement=agreement.top1_agreement,
        seconds=seconds[0],
        eager_seconds=seconds[1],
        machine=machine_name(),
        versions={name: version(name) for name in ("torch", *variant.packages)},
    )
