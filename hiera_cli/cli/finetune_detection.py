"""`hiera finetune --task boxes|masks|detection`: flags and runs of the detectors' training."""

from typing import Any

import typer

from hiera_cli.cli import training
from hiera_cli.training.detection.options import DetectorChanges
from hiera_cli.training.options import ClipOptions, FinetuneOptions, RunOptions
from hiera_cli.training.recipe import FinetuneChanges


def _flag(name: str, help: str) -> Any:  # noqa: A002
    return typer.Option(name, help=help, rich_help_panel="Detection", show_default="the paper's")


FLAGS: dict[str, Any] = {
    "task": typer.Option(
        "--task",
        help="classes, boxes (COCO JSON, VOC), masks (COCO JSON) or detection (AVA files).",
        rich_help_panel="Detection",
    ),
    "size": _flag("--size", "Side of the square input in pixels; without --task the crop's."),
    "width": _flag("--width", "Channels of the pyramid and the heads."),
    "head_convs": _flag("--head-convs", "Hidden convolutions of the box and mask heads."),
    "anchor_scale": _flag("--anchor-scale", "Side of square anchors, in strides of their maps."),
    "proposals": _flag("--proposals", "Boxes that the second stage looks at."),
    "stride": _flag("--stride", "Pixels between places of the last map, for actions."),
    "min_scale": _flag("--min-scale", "Smallest training picture, where 1 fits the input."),
    "max_scale": _flag("--max-scale", "Largest training picture, where 1 fits the input."),
    "min_visible": _flag("--min-visible", "Share of a box that a crop must show; 0: any."),
}


def train_boxes(
    options: FinetuneOptions,
    run: RunOptions,
    clips: ClipOptions,
    shape: DetectorChanges,
    changes: FinetuneChanges,
    *,
    masks: bool,
    quiet: bool,
) -> int:
    """Train an object detector, showing how far it is."""
    from hiera_cli.training.detection.boxes import finetune_boxes

    records = finetune_boxes(options, run, clips=clips, shape=shape, changes=changes, masks=masks)
    task = "masks" if masks else "boxes"
    hint = f"try it: hiera eval {options.data} --task {task} -m {run.out}"
    return training.follow(records, out=run.out, quiet=quiet, hint=hint)


def train_actions(
    options: FinetuneOptions,
    run: RunOptions,
    clips: ClipOptions,
    shape: DetectorChanges,
    changes: FinetuneChanges,
    *,
    quiet: bool,
) -> int:
    """Train action detection, showing how far it is."""
    from hiera_cli.training.detection.actions import finetune_actions

    records = finetune_actions(options, run, clips=clips, shape=shape, changes=changes)
    hint = f"try it: hiera eval {options.data} --task detection -m {run.out}"
    return training.follow(records, out=run.out, quiet=quiet, hint=hint)
