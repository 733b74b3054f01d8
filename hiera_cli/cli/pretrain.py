"""`hiera pretrain`: a masked autoencoder learns from unlabelled videos."""

from typing import Any

import typer

from hiera_cli.cli import training
from hiera_cli.cli.options import TalkOptions
from hiera_cli.training.options import ClipOptions, PretrainOptions, RunOptions
from hiera_cli.training.recipe import PretrainChanges


def _number(name: str, help: str) -> Any:  # noqa: A002
    return typer.Option(name, help=help, rich_help_panel="Recipe", show_default="the paper's")


FLAGS = training.FLAGS | {
    "inputs": typer.Argument(
        metavar="INPUTS...",
        show_default=False,
        help="Videos: files, folders, globs, @list.txt. Pictures too, for image models.",
    ),
    "model": typer.Option("-m", "--model", help="Zoo name, model folder or config.json."),
    "from_weights": typer.Option("--from-weights", help="Start from the model's weights."),
    "preview": typer.Option("--preview", help="Folder for pictures of reconstructions."),
    "recipe": typer.Option("--recipe", help="usual, or ssv2: Something-Something's row."),
    "mask_ratio": _number("--mask-ratio", "Share of mask units that stays hidden."),
    "tubes": _number("--tubes/--no-tubes", "Hide the same places in all frames."),
    "decoder_width": _number("--decoder-width", "Width of the decoder."),
    "decoder_depth": _number("--decoder-depth", "Blocks of the decoder."),
    "decoder_heads": _number("--decoder-heads", "Attention heads of the decoder."),
}


def pretrain(
    options: PretrainOptions,
    run: RunOptions,
    clips: ClipOptions,
    changes: PretrainChanges,
    talk: TalkOptions,
) -> int:
    """Pretrain a masked autoencoder on videos without labels; `finetune -m` starts from it.

    Numbers that are not given are the paper's for the model's size. An interrupted run goes on
    where it was when the same command is given again. With several GPUs:
    `torchrun --nproc-per-node N --no-python hiera pretrain ...`.
    """
    from hiera_cli.training.pretrain import pretrain as run_pretrain

    records = run_pretrain(options, run, clips=clips, changes=changes)
    hint = f"go on: hiera finetune DATASET -m {run.out} --out RUN"
    return training.follow(records, out=run.out, quiet=talk.quiet, hint=hint)
