"""What `hiera pretrain` and `hiera finetune` share: their flags, and how a run is shown."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

from hiera_cli.cli import console
from hiera_cli.cli.bar import Bar, closing_bar
from hiera_cli.cli.terminal import draws_bars

SOME_FAILED = 3


def _flag(*names: str, help: str, panel: str, **rest: Any) -> Any:  # noqa: A002
    return typer.Option(*names, help=help, rich_help_panel=panel, **rest)


def _number(name: str, help: str) -> Any:  # noqa: A002
    return _flag(name, help=help, panel="Recipe", show_default="the paper's")


_RUN, _CLIPS = "Run", "Sampling"

FLAGS: dict[str, Any] = {
    "out": _flag("-o", "--out", help="Folder of the run.", panel=_RUN),
    "on_existing": _flag("--on-existing", help="When that folder holds a run.", panel=_RUN),
    "seed": _flag("--seed", help="Of everything random.", panel=_RUN),
    "device": _flag("--device", help="auto, cpu, cuda, cuda:N or mps.", panel=_RUN),
    "precision": _flag("--precision", help="Of the arithmetic.", panel=_RUN),
    "accumulate": _flag("--accumulate", help="Parts of a batch, to save memory.", panel=_RUN),
    "checkpoint_activations": _flag(
        "--checkpoint-activations", help="Save memory, a third slower.", panel=_RUN
    ),
    "compile_model": _flag("--compile", help="Use torch.compile.", panel=_RUN),
    "workers": _flag("--workers", help="Decoding processes.", panel=_RUN),
    "save_every": _flag("--save-every", help="Steps between checkpoints.", panel=_RUN),
    "validate_every": _flag("--validate-every", help="Epochs between validations.", panel=_RUN),
    "frame_stride": _flag("--frame-stride", help="Distance of frames, at 30 fps.", panel=_CLIPS),
    "cache": _flag("--cache", help="Folder that keeps decoded clips.", panel=_CLIPS),
    "cache_clips": _flag("--cache-clips", help="Clips kept of each video.", panel=_CLIPS),
    "epochs": _number("--epochs", "Effective epochs."),
    "warmup_epochs": _number("--warmup-epochs", "Epochs of linear warm-up."),
    "batch_size": _number("--batch-size", "Clips a step, over all processes."),
    "repeats": _number("--repeats", "Clips of a video at each visit."),
    "lr": _number("--lr", "Highest learning rate; the paper's scales with the batch."),
    "min_lr": _number("--min-lr", "Learning rate at the end."),
    "optimizer": _number("--optimizer", "adamw or sgd."),
    "weight_decay": _number("--weight-decay", "Of matrices."),
    "clip_norm": _number("--clip-norm", "Largest gradient norm; 0: any."),
    "drop_path": _number("--drop-path", "Stochastic depth of the last block."),
    "min_area": _number("--min-area", "Smallest share of a frame that a crop covers."),
    "flip": _number("--flip/--no-flip", "Mirror half of the clips."),
}


def follow(records: Iterable[Any], *, out: Path, quiet: bool, hint: str) -> int:
    """Show a run while it trains, then the hint; the exit code.

    Every process must go through its records; only the first one speaks. Under torchrun, skipped
    files leave the exit code at 0: it would stop the other processes and report a crash.
    """
    from hiera_cli.training.distributed import this_process
    from hiera_cli.training.records import Epoch, Skipped, Started, Step

    process = this_process()
    speaks = process.is_main
    if not speaks:
        console.set_up_logging(quiet=True, verbose=False)
    bar: Bar | None = None
    failed = False
    best: Any = None
    if speaks and not quiet and draws_bars():
        Bar(label="getting ready").open()
    with closing_bar():
        for record in records:
            if isinstance(record, Skipped):
                failed = True
            if not speaks:
                continue
            if isinstance(record, Started):
                bar = _start(record, quiet=quiet)
            elif isinstance(record, Step):
                if bar is not None:
                    _show_step(bar, record)
            elif isinstance(record, Epoch):
                best = record if record.is_best else best
                _end_epoch(record, out, quiet=quiet)
            else:
                console.show_failure(record.failure)
    if speaks and not quiet:
        if best is not None and best.step == 0:
            console.say(
                "no epoch was better on the validation than the head that training began with: "
                "the result is that head on the network as it was; `hiera fit` may find a better "
                "one"
            )
        console.say(hint)
    return SOME_FAILED if failed and process.world_size == 1 else 0


def _start(started: Any, *, quiet: bool) -> Bar:
    """Say what begins; a progress bar with the time that is left, on terminals."""
    if not quiet:
        console.say(
            f"{started.num_videos} {started.unit}, {started.num_steps} steps of "
            f"{started.steps_per_epoch} an epoch, {started.num_parameters / 1e6:.1f} M parameters "
            f"on {started.device}"
        )
        if started.first_step:
            console.say(f"continues after step {started.first_step}")
    bar = console.follow(Bar(started.num_steps, "steps", done=started.first_step))
    return bar if quiet or not draws_bars() else bar.open()


def _show_step(bar: Bar, step: Any) -> None:
    text = f"loss {step.loss or 0.0:.4f}"
    if step.visible_tokens_per_second:
        text += f", {step.visible_tokens_per_second:.0f} visible tokens/s"
    bar.note = lambda: text
    bar.done += 1


def _end_epoch(epoch: Any, out: Path, *, quiet: bool) -> None:
    from hiera_cli.report.curves import draw_curves

    draw_curves(out / "metrics.jsonl", out / "curves.png")
    if quiet:
        return
    line = f"epoch {epoch.epoch:4d}  step {epoch.step:6d}  loss {epoch.train_loss:.4f}"
    if epoch.validation:
        line += f"  {_validated(epoch.validation)}"
        line += "  best" if epoch.is_best else ""
    if epoch.trivial:
        answers = epoch.trivial
        line += f"  (patch mean {answers.mean:.4f}, nearest visible patch {answers.copy:.4f}, "
        line += f"mean picture {answers.picture:.4f})"
    console.say(f"{line}  {epoch.seconds:.1f} s")


def _validated(found: Any) -> str:
    from hiera_cli.training.records import Validation

    if isinstance(found, Validation):
        return f"val {found.loss:.4f}  top-1 {found.top1:.1%}  top-5 {found.top5:.1%}"
    return f"val mAP {found.mean_ap:.1%}  mAP@0.5 {found.ap50:.1%}"
