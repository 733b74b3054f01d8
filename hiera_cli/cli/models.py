"""`hiera models`: what there is, what is here, what is whole."""

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


_LIST_HEADING = f"{'name':42} {'kind':5}  {'size':>7}  {'cost':11}  {'accuracy':10}  where"


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
            writer.heading(_LIST_HEADING)
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
    top1 = f"top-1 {record.top1:.1f}" if record.top1 is not None else ""
    cost = f"{record.gflops:g} GFLOPs" if record.gflops is not None else ""
    here = "here" if record.path else f"download, about {4 * record.parameters_millions:.0f} MB"
    stream.write(
        f"{record.name:42} {record.kind}  {record.parameters_millions:5g} M  {cost:11}  "
        f"{top1:10}  {here}".rstrip()
        + "\n"
    )


def _facts(details: "ModelDetails") -> list[dict[str, Any]]:
    names = [*_LIST_COLUMNS, "repository", "url"]
    facts = {name: getattr(details.model, name) for name in names}
    facts |= {f"preprocessing.{key}": value for key, value in details.preprocessing.items()}
    facts |= {f"config.{key}": value for key, value in details.config.items()}
    return [{"key": key, "value": value} for key, value in facts.items() if value is not None]


def _show_details(details: "ModelDetails", stream: IO[str]) -> None:
    for fact in _facts(details):
        stream.write(printable(f"{fact['key']:32} {fact['value']}") + "\n")
    if details.labels:
        first = ", ".join(details.labels[:3])
        stream.write(printable(f"{'labels':32} {first}, … ({len(details.labels)})") + "\n")


def _show_download(record: "Download", stream: IO[str]) -> None:
    stream.write(f"{record.path}\n")


def _show_verification(record: "Verification", stream: IO[str]) -> None:
    known = "as downloaded" if record.expected_sha256 else "nobody stated its hash"
    state = f"DAMAGED: {record.problem}" if record.problem else f"good ({known}, loads)"
    stream.write(printable(f"{record.name}: {state}") + "\n")
