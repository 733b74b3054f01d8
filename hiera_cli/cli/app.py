"""The command map, and the only place where errors become messages and exit codes."""

import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Annotated, Any

import typer

from hiera_cli import __version__
from hiera_cli.cli import (
    benchmark,
    classify,
    console,
    export,
    extract_features,
    finetune,
    merge,
    models,
    pretrain,
    probe,
    synth,
    verify,
)
from hiera_cli.cli import eval as evaluation
from hiera_cli.cli.options import flatten
from hiera_cli.errors import HieraError

INTERNAL_ERROR, INTERRUPTED = 1, 130

app = typer.Typer(
    name="hiera",
    help="Video understanding with Hiera: classify, extract features, evaluate, train.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _add(
    name: str,
    function: Callable[..., Any],
    flags: Mapping[str, Any] | None = None,
    *,
    group: typer.Typer = app,
) -> None:
    group.command(name)(_guard(flatten(function, flags)))


def _guard(command: Callable[..., int | None]) -> Callable[..., None]:
    """The command, with every way it can end turned into an exit code."""

    @wraps(command)
    def guarded(**values: Any) -> None:
        verbose = bool(values.get("verbose"))
        console.set_up_logging(quiet=bool(values.get("quiet")), verbose=verbose)
        signal.signal(signal.SIGINT, _interrupt)
        signal.signal(signal.SIGTERM, _interrupt)
        raise typer.Exit(_exit_code(command, values, verbose=verbose))

    return guarded


def _exit_code(command: Callable[..., int | None], values: Any, *, verbose: bool) -> int:
    try:
        return command(**values) or 0
    except HieraError as error:
        console.show_error(error)
        if verbose:
            traceback.print_exc()
        return error.exit_code
    except KeyboardInterrupt:
        console.say("interrupted; finished work is kept")
        return INTERRUPTED
    except BrokenPipeError:
        sys.stdout = None  # nobody reads any more: nothing is left to flush
        return 0
    except Exception as error:  # noqa: BLE001 - the last handler
        console.say(f"internal error: {type(error).__name__}: {error}")
        if verbose:
            traceback.print_exc()
        else:
            console.say("hint: run again with -v for the traceback, and report it")
        return INTERNAL_ERROR


def _interrupt(_signal: int, _frame: Any) -> None:
    """First interrupt: finish what is being written. Second: stop now."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise KeyboardInterrupt


def _show_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"hiera {__version__}\n")
        raise typer.Exit


@app.callback()
def hiera(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Video understanding with Hiera: classify, extract features, evaluate, train."""


_add("classify", classify.classify, classify.FLAGS)
_add("finetune", finetune.finetune, finetune.FLAGS)
_add("pretrain", pretrain.pretrain, pretrain.FLAGS)
_add("probe", probe.probe, probe.FLAGS)
_add("benchmark", benchmark.benchmark, benchmark.FLAGS)
_add("export", export.export, export.FLAGS)
_add("extract-features", extract_features.extract_features, extract_features.FLAGS)
_add("merge", merge.merge, merge.FLAGS)
_add("verify", verify.verify, verify.FLAGS)

models_app = typer.Typer(no_args_is_help=True)
app.add_typer(models_app, name="models", help="List, show, download and verify models.")
_add("list", models.list_models, group=models_app)
_add("show", models.show, models.FLAGS, group=models_app)
_add("download", models.download, models.FLAGS, group=models_app)
_add("verify", models.verify, models.FLAGS, group=models_app)
_add("eval", evaluation.evaluate, evaluation.FLAGS)

synth_app = typer.Typer(no_args_is_help=True)
app.add_typer(synth_app, name="synth", help="Render camera-motion videos and sample videos.")
_add("camera-motion", synth.camera_motion, synth.FLAGS, group=synth_app)
_add("samples", synth.samples, group=synth_app)
_add("start", synth.start, {"seed": synth.FLAGS["seed"]}, group=synth_app)


def main() -> None:
    """Run the command line."""
    app()
