"""Flags that commands share, and how an options dataclass becomes flags.

A command takes whole dataclasses (`engine: EngineOptions`); `flatten` turns each field into a
parameter whose type and default come from the dataclass and whose flag and help come from the
table below, so that a default is written down once and a flag means the same everywhere.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import typer

from hiera_cli.options import check_choices

Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUTS...",
        show_default=False,
        help="Files, folders, globs, @list.txt (one path a line) or - (paths on stdin).",
    ),
]


Format = Literal["table", "json", "jsonl", "csv"]
ProgressStyle = Literal["bar", "json"]


@dataclass(frozen=True)
class OutputOptions:
    """Where records go and how much is said."""

    out: Path | None = None
    format: Format | None = None
    quiet: bool = False
    verbose: bool = False
    progress: ProgressStyle = "bar"
    log_file: Path | None = None

    def __post_init__(self) -> None:
        """Refuse a format that there is not.

        Raises:
            UsageError: a value that is no choice.
        """
        check_choices(self)


@dataclass(frozen=True)
class TalkOptions:
    """How much is said, for commands that write files of their own."""

    quiet: bool = False
    verbose: bool = False
    progress: ProgressStyle = "bar"
    log_file: Path | None = None

    def __post_init__(self) -> None:
        """Refuse a style of progress that there is not.

        Raises:
            UsageError: a value that is no choice.
        """
        check_choices(self)


def _flag(*names: str, help: str, panel: str, **rest: Any) -> Any:  # noqa: A002
    return typer.Option(*names, help=help, rich_help_panel=panel, **rest)


_MODEL, _VIEWS, _MACHINE, _OUTPUT = "Model", "Sampling", "Hardware", "Output"
_LIMITS, _DATA, _CLUSTER = "Limits", "Input", "Cluster"

FLAGS: dict[str, Any] = {
    "model": _flag("-m", "--model", help="Zoo name, model folder or weights file.", panel=_MODEL),
    "weights": _flag("--weights", help="Weights file for a zoo name.", panel=_MODEL),
    "labels": _flag("--labels", help="Class names: one a line, or JSON.", panel=_MODEL),
    "input_size": _flag(
        "--input-size", help="FRAMESxPIXELS other than the model's own, as 32x224.", panel=_MODEL
    ),
    "offline": _flag("--offline", help="Never use the network.", panel=_MODEL),
    "cache_dir": _flag("--cache-dir", help="Where weights are kept.", panel=_MODEL),
    "protocol": _flag("--protocol", help="fast, balanced, paper or dense.", panel=_VIEWS),
    "clips": _flag("--clips", help="Clips spread over the video.", panel=_VIEWS),
    "crops": _flag("--crops", help="Crops of every clip: 1 or 3.", panel=_VIEWS),
    "hop": _flag("--hop", help="Seconds between windows (dense).", panel=_VIEWS),
    "square_pixels": _flag("--square-pixels", help="Undo non-square pixels.", panel=_VIEWS),
    "device": _flag("--device", help="auto, cpu, cuda, cuda:N or mps.", panel=_MACHINE),
    "dtype": _flag(
        "--dtype",
        help="auto, float32, bfloat16 or float16. auto on the CPU: bfloat16 where `hiera "
        "benchmark --against bfloat16` found it faster, and float32 in eval and fit.",
        panel=_MACHINE,
    ),
    "backend": _flag("--backend", help="torch, compile, onnx, openvino or auto.", panel=_MACHINE),
    "batch_size": _flag("--batch-size", help="Views a batch, or auto.", panel=_MACHINE),
    "workers": _flag("--workers", help="Videos decoded at once, or auto.", panel=_MACHINE),
    "threads": _flag("--threads", help="CPU threads of the model.", panel=_MACHINE),
    "max_pixels": _flag("--max-pixels", help="Largest frame, in pixels.", panel=_LIMITS),
    "timeout": _flag("--timeout", help="Seconds a video may take; 0: no limit.", panel=_LIMITS),
    "isolate": _flag(
        "--isolate/--no-isolate",
        help="Decode in processes that can be killed.",
        show_default="on for more than one file",
        panel=_LIMITS,
    ),
    "assume_fps": _flag(
        "--assume-fps", help="Frame rate, where files state it wrong.", panel=_VIEWS
    ),
    "hwaccel": _flag("--hwaccel", help="Decode on hardware: none, auto, cuda, …", panel=_MACHINE),
    "class_names": _flag("--class-names", help="Names of a list's numbered classes.", panel=_DATA),
    "labels_from": _flag("--labels-from", help="Number of a list's first class.", panel=_DATA),
    "out": _flag("-o", "--out", help="Write here instead of stdout.", panel=_OUTPUT),
    "format": _flag("-f", "--format", help="table, json, jsonl or csv.", panel=_OUTPUT),
    "quiet": _flag("-q", "--quiet", help="Nothing on stderr but errors.", panel=_OUTPUT),
    "progress": _flag("--progress", help="bar, or json: a line every 10 s.", panel=_OUTPUT),
    "log_file": _flag("--log-file", help="Add all messages to this file.", panel=_OUTPUT),
    "verbose": _flag("-v", "--verbose", help="Say more; tracebacks.", panel=_OUTPUT),
}

RAY_FLAGS: dict[str, Any] = {
    "engine": _flag("--engine", help="Where the work is done: local or ray.", panel=_CLUSTER),
    "ray_address": _flag("--ray-address", help="auto, HOST:PORT or ray://…", panel=_CLUSTER),
    "num_actors": _flag("--num-actors", help="Processes with a model each.", panel=_CLUSTER),
    "gpus_per_actor": _flag("--gpus-per-actor", help="May be a part of one.", panel=_CLUSTER),
}


def flatten(
    function: Callable[..., Any], flags: Mapping[str, Any] | None = None
) -> Callable[..., Any]:
    """A command whose dataclass parameters are spread into one flag per field.

    Args:
        function: takes keyword arguments, some of them annotated with dataclasses.
        flags: the command's own entries for the flag table.
    """
    table = {**FLAGS, **(flags or {})}
    hints = get_type_hints(function, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    parameters: dict[str, inspect.Parameter] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in groups:
            parameters |= _field_parameters(groups[parameter.name], table)
        else:
            annotation = hints[parameter.name]
            if parameter.name in table:
                annotation = Annotated[annotation, table[parameter.name]]
            parameters[parameter.name] = parameter.replace(
                annotation=annotation, kind=inspect.Parameter.KEYWORD_ONLY
            )

    @wraps(function)
    def command(**values: Any) -> Any:
        arguments = {name: value for name, value in values.items() if name in hints}
        for name, group in groups.items():
            arguments[name] = group(**{f.name: values[f.name] for f in fields(group)})
        return function(**arguments)

    command.__signature__ = inspect.Signature(list(parameters.values()))  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters.values()}
    return command


def _field_parameters(group: Any, table: Mapping[str, Any]) -> dict[str, inspect.Parameter]:
    hints = get_type_hints(group)
    return {
        f.name: inspect.Parameter(
            f.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if f.default is MISSING else f.default,
            annotation=Annotated[_as_flag(hints[f.name]), table[f.name]],
        )
        for f in fields(group)
    }


def _as_flag(hint: Any) -> Any:
    """The type that typer is given: it has no lists of choices, the dataclass checks those."""
    parts = get_args(hint)
    if get_origin(hint) in (Union, UnionType):
        return Union[tuple(_as_flag(part) for part in parts)]  # noqa: UP007 - made from parts
    return list[str] if get_origin(hint) is list and get_origin(parts[0]) is Literal else hint
