"""The command map, and the only place where errors become messages and exit codes."""

import errno
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import wraps
from importlib import import_module
from typing import Annotated, Any

import typer

from hiera_cli import __version__
from hiera_cli.cli import console, interrupts
from hiera_cli.cli.batch import logging_to, wants_json
from hiera_cli.cli.help import EXAMPLES, START, Command
from hiera_cli.cli.interrupts import INTERRUPTED
from hiera_cli.cli.options import flatten
from hiera_cli.cli.terminal import take_over
from hiera_cli.errors import HieraError, OutputError, UsageError
from hiera_cli.machine import keep_freed_memory
from hiera_cli.remote import without_file_scheme

INTERNAL_ERROR = 1
ABOUT = "Video understanding with Hiera: classify, extract features, evaluate, train."

GROUPS = {
    "models": "List, show, download and verify models.",
    "synth": "Render camera-motion videos and sample videos.",
}

TRAINING = {"pretrain", "finetune"}
RESUMED = TRAINING | {"extract-features", "eval", "fit", "models download"}

# Name, home (module:function) and summary of every command.
COMMANDS = (
    ("classify", "classify:classify", "Say what happens in videos."),
    ("timeline", "timeline:timeline", "Say what happens when in videos."),
    ("probe", "probe:probe", "Show what is in video files and which frames would be taken."),
    ("extract-features", "extract_features:extract_features", "Write a feature vector a clip."),
    ("search", "search:search", "Find clips in a table of features."),
    ("explore", "explore:explore", "Make a page with a map of all clips of a table."),
    ("merge", "merge:merge", "Join tables that were made with the same settings."),
    ("verify", "verify:verify", "Compute a sample of a table again and compare."),
    ("eval", "eval:evaluate", "Measure accuracy on a labelled data set."),
    ("detect", "detect:detect", "Follow things and people through videos."),
    ("dataset", "dataset:dataset", "Look at a labelled data set before computing on it."),
    ("pretrain", "pretrain:pretrain", "Pretrain a masked autoencoder on unlabelled videos."),
    ("fit", "fit:fit", "Fit a classifier to your clips in seconds, on features that stay."),
    ("finetune", "finetune:finetune", "Teach a model the classes of a data set."),
    ("curves", "curves:curves", "Compare training runs: means, intervals and a picture."),
    ("benchmark", "benchmark:benchmark", "Show where the time goes."),
    ("export", "export:export", "Write a model for ONNX Runtime, OpenVINO or torch.export."),
    ("models list", "models:list_models", "List the models that are known by name."),
    ("models show", "models:show", "Show what is known about a model."),
    ("models download", "models:download", "Download a model's weights."),
    ("models verify", "models:verify", "Check downloaded weights."),
    ("synth camera-motion", "synth:camera_motion", "Render labelled videos of camera movements."),
    ("synth films", "synth:films", "Render films of several camera movements, with their times."),
    ("synth actors", "synth:actors", "Render acting figures, labelled with boxes."),
    ("synth samples", "synth:samples", "Render the sample videos of this project."),
    ("synth start", "synth:start", "Write the network that camera-motion was trained from."),
)


def make_app(chosen: str | None = None) -> typer.Typer:
    """The command line.

    Args:
        chosen: first word of the command that will run; all others are only listed, so that
            `hiera --help` builds no flags. None builds every command.
    """
    app = _new_app(name="hiera", help=ABOUT, pretty_exceptions_enable=False)
    app.callback(invoke_without_command=True)(_hiera)
    groups = {name: _new_app(no_args_is_help=True) for name in GROUPS}
    for path, home, summary in COMMANDS:
        group, _, name = path.rpartition(" ")
        parent = groups[group] if group else app
        if chosen in (None, path.partition(" ")[0]):
            examples = "\n".join(EXAMPLES.get(path, ()))
            parent.command(name, cls=Command, epilog=examples)(_load(home, resumes=path in RESUMED))
        else:
            parent.command(name, help=summary)(_listed)
    for name, group_app in groups.items():
        app.add_typer(group_app, name=name, help=GROUPS[name])
    return app


def _new_app(**settings: Any) -> typer.Typer:
    names = {"help_option_names": ["-h", "--help"]}
    return typer.Typer(
        add_completion=False,
        rich_markup_mode=None,  # importing rich for the help alone costs more than all the rest
        context_settings=names,
        **settings,
    )


def _load(home: str, *, resumes: bool) -> Callable[..., None]:
    """The command at `module:function`, its options spread into flags."""
    module_name, _, function = home.partition(":")
    module = import_module(f"hiera_cli.cli.{module_name}")
    command = flatten(getattr(module, function), getattr(module, "FLAGS", {}))
    return _guard(command, resumes=resumes)


def _listed() -> None:
    """A command that is shown in the list and not built."""


def _guard(command: Callable[..., int | None], *, resumes: bool = False) -> Callable[..., None]:
    """The command, with every way it can end turned into an exit code.

    Args:
        command: returns an exit code, or None for 0.
        resumes: whether the same command, given again, goes on where it was.
    """

    @wraps(command)
    def guarded(**values: Any) -> None:
        verbose = bool(values.get("verbose"))
        console.set_up_logging(quiet=bool(values.get("quiet")), verbose=verbose)
        wants_json.set(values.get("progress") == "json")
        console.begin()
        code = _exit_code(command, values, verbose=verbose, resumes=resumes)
        interrupts.leave_command()
        raise typer.Exit(code)

    return guarded


def _exit_code(
    command: Callable[..., int | None], values: Any, *, verbose: bool, resumes: bool = False
) -> int:
    try:
        with logging_to(values.get("log_file")):
            return _shown(command, values, verbose=verbose, resumes=resumes)
    except UsageError as error:  # no log file
        console.show_error(error)
        return error.exit_code


def _shown(command: Callable[..., int | None], values: Any, *, verbose: bool, resumes: bool) -> int:
    """The exit code, after saying why it is what it is."""
    try:
        interrupts.enter_command()
        code = command(**values) or 0
        if sys.stdout is not None:
            sys.stdout.flush()  # here, where a closed pipe or a full disk can still be answered
        return code
    except KeyboardInterrupt:
        console.show_interrupt(resumes=resumes)
        return INTERRUPTED
    except BrokenPipeError:
        sys.stdout = None  # nobody reads any more: nothing is left to flush
        return 0
    except Exception as error:  # noqa: BLE001 - the last handler
        if interrupts.struck():  # and native code made something else of it
            console.show_interrupt(resumes=resumes)
            return INTERRUPTED
        return _failed(error, verbose=verbose)


def _failed(error: Exception, *, verbose: bool) -> int:
    """An error that the user can do something about, or another."""
    if not isinstance(error, HieraError):
        return _unexpected(error, verbose=verbose)
    console.show_error(error)
    if verbose:
        traceback.print_exc()
    return error.exit_code


def _unexpected(error: Exception, *, verbose: bool) -> int:
    """A full disk behind stdout or `--out`, or else a bug."""
    if verbose:
        traceback.print_exc()
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        sys.stdout = None  # what it still holds would fail again
        hint = "free some space and run the same command again"
        console.show_error(OutputError(f"cannot write: {error.strerror}", hint=hint))
        return OutputError.exit_code
    console.say(f"internal error: {type(error).__name__}: {error}")
    if not verbose:
        console.say("hint: run again with -v for the traceback, and report it")
    return INTERNAL_ERROR


def _show_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"hiera {__version__}\n")
        raise typer.Exit


def _hiera(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 - its callback ends the process
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        console.show_lines(START.splitlines(), indent=4)


def without_file_schemes(words: Sequence[str]) -> list[str]:
    """The words of a command, with the paths that `file://` URLs in them mean."""
    parted = (re.fullmatch(r"(@|--[a-z-]+=)?(file://.*)", word, re.DOTALL) for word in words)
    return [
        (found[1] or "") + without_file_scheme(found[2]) if found else word
        for word, found in zip(words, parted, strict=True)
    ]


def main() -> None:
    """Run the command line, in a process of its own."""
    interrupts.begin()
    take_over()
    sys.argv[1:] = without_file_schemes(sys.argv[1:])
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    command = words[0] if words else ""
    if command in TRAINING:
        keep_freed_memory()
    make_app(command)(prog_name="hiera")
