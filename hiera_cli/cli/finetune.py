"""`hiera finetune`: teach a classifier."""

from typing import Any, Literal

import typer

from hiera_cli.cli import finetune_detection, training
from hiera_cli.cli.options import TalkOptions
from hiera_cli.training.detection.options import DetectorChanges
from hiera_cli.training.options import ClipOptions, FinetuneOptions, RunOptions
from hiera_cli.training.recipe import FinetuneChanges


def _number(name: str, help: str) -> Any:  # noqa: A002
    return typer.Option(name, help=help, rich_help_panel="Recipe", show_default="the paper's")


Task = Literal["classes", "boxes", "masks", "detection"]
FLAGS = (
    training.FLAGS
    | finetune_detection.FLAGS
    | {
        "data": typer.Argument(
            metavar="DATASET",
            show_default=False,
            help="Class folders (train/ and val/), a Kinetics folder, or a list file.",
        ),
        "model": typer.Option(
            "-m", "--model", help="Zoo name, model folder, or config.json with --from-scratch."
        ),
        "annotations": typer.Option("--annotations", help="File that labels the videos."),
        "val": typer.Option("--val", help="Data set to validate on, instead of the val split."),
        "from_scratch": typer.Option("--from-scratch", help="Start from random weights."),
        "freeze_backbone": typer.Option("--freeze-backbone", help="Train the head alone."),
        "sampling": typer.Option("--sampling", help="Frames a stride apart, or one a segment."),
        "crop_mode": typer.Option(
            "--crop-mode", help="What a view shows: the frame's center, or all of it squashed."
        ),
        "symmetries": typer.Option(
            "--symmetry",
            help="Turn half of the clips, also those whose label names a direction: `left` becomes "
            "`right`. Give it once for each symmetry.",
        ),
        "recipe": typer.Option(
            "--recipe", help="usual, ssv2 (Something-Something) or transfer (pictures)."
        ),
        "calibrate": typer.Option(
            "--calibrate", help="Fit the scores to the validation's accuracy."
        ),
        "hold_out": typer.Option("--hold-out", help="Files of each class to validate on."),
        "per_class": typer.Option("--per-class", help="Files of each class to learn from."),
        "head_dropout": _number("--head-dropout", "Dropout before the head."),
        "layer_decay": _number("--layer-decay", "Learning rate from a block to the one below."),
        "position_lr": _number("--position-lr", "Factor on position embeddings' learning rate."),
        "label_smoothing": _number("--label-smoothing", "Share spread over all classes."),
        "mixup": _number("--mixup", "Beta parameter of blends; 0: off."),
        "cutmix": _number("--cutmix", "Beta parameter of cuts; 0: off."),
        "magnitude": _number("--magnitude", "RandAugment, 0 to 10; 0: off."),
        "erase": _number("--erase", "Probability of random erasing."),
        "ema_decay": _number("--ema-decay", "Average the weights; 0: off."),
        "patience": _number(
            "--patience", "Validations without a better one before it ends; 0: any."
        ),
        "head_start": typer.Option("--head-start", help="auto, fit (as `hiera fit`) or none."),
        "class_weights": typer.Option("--class-weights", help="auto, balanced or none."),
    }
)


def finetune(
    options: FinetuneOptions,
    run: RunOptions,
    clips: ClipOptions,
    changes: FinetuneChanges,
    shape: DetectorChanges,
    talk: TalkOptions,
    task: Task = "classes",
) -> int:
    """Teach a model the classes of a data set; the run's folder is a model for `classify -m`.

    Numbers that are not given are the paper's for the model's size. An interrupted run goes on
    where it was when the same command is given again. With several GPUs:
    `torchrun --nproc-per-node N --no-python hiera finetune ...`.
    """
    if task in ("boxes", "masks"):
        return finetune_detection.train_boxes(
            options, run, clips, shape, changes, masks=task == "masks", quiet=talk.quiet
        )
    if task == "detection":
        return finetune_detection.train_actions(
            options, run, clips, shape, changes, quiet=talk.quiet
        )
    from hiera_cli.training.detection.options import refuse_others
    from hiera_cli.training.finetune import finetune as run_finetune

    refuse_others(shape, used=("size",))
    records = run_finetune(options, run, clips=clips, changes=changes, size=shape.size)
    hint = f"try it: hiera classify VIDEO -m {run.out}"
    return training.follow(records, out=run.out, quiet=talk.quiet, hint=hint)
