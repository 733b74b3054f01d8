"""`hiera models`: what there is, what is here, what is whole."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from hiera_cli.cli import console
from hiera_cli.cli.options import OutputOptions
from hiera_cli.cli.records import Layout, RecordWriter, choose_format
from hiera_cli.inputs import printable

if TYPE_CHECKING:
    from hiera_cli.tasks.models import Download, ModelDetails, ModelRecord, Verification

NOT_USABLE = 5
FLAGS: dict[str, Any] = {}

Name = Annotated[str, typer.Argument(metavar="NAME", show_default=False)]
Names = Annotated[list[str], typer.Argument(metavar="NAME...", show_default=False)]
SomeNames = Annotated[list[str] | None, typer.Argument(metavar="[NAME...]", show_default=False)]


@dataclass(frozen=True)
class _Cell:
    heading: str
    columns: int
    rank: int
    text: "Callable[[ModelRecord], str]"


_LIST_COLUMNS = (
    "name",
    "kind",
    "num_classes",
    "parameters_millions",
    "gflops",
    "top1",
    "licence",
    "path",
)


# What a line of the list holds: heading, columns, text; where a terminal is too narrow for all,
# those of the largest `rank` are left out first.
_CELLS: tuple[_Cell, ...] = (
    _Cell("name", 39, 0, lambda r: r.name),
    _Cell("kind", 5, 2, lambda r: r.kind),
    _Cell("size", 6, 3, lambda r: f"{r.parameters_millions:4g} M"),
    _Cell("cost", 11, 4, lambda r: f"{r.gflops:g} GFLOPs" if r.gflops is not None else ""),
    _Cell("accuracy", 10, 1, lambda r: f"top-1 {r.top1:.1f}" if r.top1 is not None else ""),
    _Cell("download", 8, 0, lambda r: "here" if r.path else _megabytes(r)),
)


@dataclass(frozen=True)
class CacheOptions:
    """Where weights are kept."""

    cache_dir: str | None = None


def list_models(cache: CacheOptions, output: OutputOptions) -> int:
    """List all models with their size, cost and published accuracy."""
    from hiera_cli.tasks.models import list_models as records

    layout = Layout(_LIST_COLUMNS, lambda r: [_columns(r, _LIST_COLUMNS)], _show_row)
    with RecordWriter(output, layout) as writer:
        if choose_format(output) == "table":
            writer.heading(_line(lambda cell: cell.heading, console.width_of(sys.stdout)))
        for record in records(cache_dir=cache.cache_dir):
            writer.write(record)
    if choose_format(output) == "table" and not output.quiet:
        console.say("get one: hiera models download NAME; use it: hiera classify VIDEO -m NAME")
    return 0


def show(name: Name, cache: CacheOptions, output: OutputOptions) -> int:
    """Show all about one model."""
    from hiera_cli.tasks.models import describe

    details = describe(name, cache_dir=cache.cache_dir)
    with RecordWriter(output, Layout(("key", "value"), _facts, _show_details)) as writer:
        writer.write(details)
    return 0


def download(
    names: Names, cache: CacheOptions, output: OutputOptions, *, offline: bool = False
) -> int:
    """Download official weights; a broken download is continued."""
    from hiera_cli.tasks.models import download as downloads

    columns = ("name", "path", "num_bytes")
    layout = Layout(columns, lambda r: [_columns(r, columns)], _show_download)
    progress = console.byte_progress(quiet=output.quiet)
    with RecordWriter(output, layout) as writer:
        for record in downloads(
            names, offline=offline, cache_dir=cache.cache_dir, progress=progress
        ):
            writer.write(record)
    return 0


def verify(cache: CacheOptions, output: OutputOptions, names: SomeNames = None) -> int:
    """Hash downloaded weights again and load them."""
    from hiera_cli.tasks.models import verify as verifications

    columns = ("name", "path", "sha256", "expected_sha256", "problem")
    layout = Layout(columns, lambda r: [_columns(r, columns)], _show_verification)
    code = 0
    with RecordWriter(output, layout) as writer:
        for record in verifications(names or (), cache_dir=cache.cache_dir):
            writer.write(record)
            code = NOT_USABLE if record.problem else code
    return code


def _columns(record: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(record, name) for name in names}


def _show_row(record: "ModelRecord", stream: IO[str]) -> None:
    stream.write(_line(lambda cell: cell.text(record), console.width_of(stream)) + "\n")


def _line(text: "Callable[[_Cell], str]", width: float) -> str:
    """The cells that a line of so many columns has room for."""
    cells = list(_CELLS)
    while sum(cell.columns + 2 for cell in cells) - 2 > width and any(c.rank for c in cells):
        cells.remove(max(cells, key=lambda cell: cell.rank))
    return "  ".join(f"{text(cell):{cell.columns}}" for cell in cells).rstrip()


def _megabytes(record: "ModelRecord") -> str:
    return f"{4 * record.parameters_millions:.0f} MB"


def _facts(details: "ModelDetails") -> list[dict[str, Any]]:
    names = [*_LIST_COLUMNS, "repository", "url"]
    facts = {name: getattr(details.model, name) for name in names}
    facts |= {f"preprocessing.{key}": value for key, value in details.preprocessing.items()}
    facts |= {f"config.{key}": value for key, value in details.config.items()}
    return [{"key": key, "value": value} for key, value in facts.items() if value is not None]


def _show_details(details: "ModelDetails", stream: IO[str]) -> None:
    for fact in _facts(details):
        line = printable(f"{fact['key']:32} {fact['value']}")
        stream.write(console.wrapped(line, stream, indent=33) + "\n")
    if details.labels:
        first = ", ".join(details.labels[:3])
        line = printable(f"{'labels':32} {first}, … ({len(details.labels)})")
        stream.write(console.wrapped(line, stream, indent=33) + "\n")


def _show_download(record: "Download", stream: IO[str]) -> None:
    stream.write(f"{record.path}\n")


def _show_verification(record: "Verification", stream: IO[str]) -> None:
    known = "as downloaded" if record.expected_sha256 else "nobody stated its hash"
    state = f"DAMAGED: {record.problem}" if record.problem else f"good ({known}, loads)"
    stream.write(console.wrapped(printable(f"{record.name}: {state}"), stream) + "\n")
