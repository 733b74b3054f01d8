"""`hiera export`: a model for another runtime, verified against PyTorch before it is kept."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from hiera_cli.cli import console
from hiera_cli.cli.options import TalkOptions
from hiera_cli.cli.sources import find_files
from hiera_cli.errors import UsageError
from hiera_cli.inputs import InputPath
from hiera_cli.options import DecodeOptions, check_at_least

if TYPE_CHECKING:
    from hiera_cli.checkpoints.preprocessing import Preprocessing
    from hiera_cli.exports.record import ExportRecord
    from hiera_cli.video.info import Limits

FLAGS: dict[str, Any] = {
    "model": typer.Argument(metavar="MODEL", help="Zoo name, model folder or weights file."),
    "format": typer.Option("--format", help="onnx, openvino or torch-export."),
    "int8": typer.Option("--int8", help="Quantise weights and activations (openvino)."),
    "calibrate": typer.Option(
        "--calibrate", metavar="CLIPS", help="Videos that set the ranges of int8; repeatable."
    ),
    "verify": typer.Option(
        "--verify", metavar="CLIPS", help="Videos to compare with PyTorch on; repeatable."
    ),
    "num_views": typer.Option("--num-views", help="Views to compare on."),
    "num_calibration_views": typer.Option("--num-calibration-views", help="Views for int8."),
    "out": typer.Option("-o", "--out", help="Folder; by default the cache, for --backend."),
}


def export(
    model: str,
    talk: TalkOptions,
    format: str = "onnx",  # noqa: A002 - the flag's name
    int8: bool = False,
    calibrate: list[str] | None = None,
    verify: list[str] | None = None,
    num_views: int = 4,
    num_calibration_views: int = 64,
    out: Path | None = None,
    weights: str | None = None,
    offline: bool = False,
    cache_dir: str | None = None,
    threads: int | None = None,
    assume_fps: float | None = None,
) -> int:
    """Export a model; it is kept only when it gives what PyTorch gives.

    The export takes raw pixels, uint8 (B, 3, T, H, W), for any batch size, and gives logits and
    features; `--backend` finds it again. Without --verify and --calibrate it is compared on a
    video that is made up for the purpose.
    """
    import torch

    from hiera_cli.checkpoints.open import open_model
    from hiera_cli.exports.record import export_folder
    from hiera_cli.exports.variants import find_variant
    from hiera_cli.tasks.export import export_model
    from hiera_cli.video.info import Limits

    variant = find_variant(format, int8=int8)
    if int8 and not calibrate:
        raise UsageError("int8 needs clips to calibrate on", hint="give --calibrate CLIPS")
    check_at_least(1, threads=threads)
    if threads is not None:
        torch.set_num_threads(threads)
    with console.waiting(f"exporting {model}", quiet=talk.quiet):
        loaded = open_model(model, weights=weights, offline=offline, cache_dir=cache_dir)
        folder = out or export_folder(loaded.weights_sha256, variant, cache_dir=cache_dir)
        look = loaded.preprocessing
        limits = Limits.of(DecodeOptions(assume_fps=assume_fps))
        views = _views(verify or calibrate, look, num_views, limits)
        ranges = _views(calibrate, look, num_calibration_views, limits) if int8 else None
        record = export_model(loaded, variant, folder, views=views, calibration=ranges)
    if not talk.quiet:
        console.say(_summary(record))
        if out is None and variant.runs:
            console.say(f"use it with --backend {variant.name}")
    sys.stdout.write(f"{folder}\n")
    return 0


def _views(names: Sequence[str] | None, look: "Preprocessing", num: int, limits: "Limits") -> Any:
    """So many views (N, 3, T, H, W) of the videos that are named, else of one that is made up."""
    from hiera_cli.tasks.benchmark.generated import generated_videos
    from hiera_cli.tasks.export import read_views

    if names:
        files = spread(find_files(names, quiet=True), num)
        return read_views(files, look, num_views=num, limits=limits)
    with generated_videos(num=1) as made_up:
        return read_views(made_up, look, num_views=num)


def spread(files: Sequence[InputPath], num_views: int) -> Sequence[InputPath]:
    """As many files as two views of each need, evenly over a list that may be sorted by class."""
    num = min(len(files), -(-num_views // 2))
    return [files[index * len(files) // num] for index in range(num)]


def _summary(record: "ExportRecord") -> str:
    """How it compares."""
    return (
        f"{record.model} as {record.variant}: outputs differ by {record.deviation:.1e} at most, "
        f"features' cosine {record.feature_cosine:.6f}, same top-1 on "
        f"{record.top1_agreement:.0%} of {record.num_clips} views; "
        f"{record.seconds:.2f} s a view, PyTorch {record.eager_seconds:.2f} s"
    )
