"""`hiera curves`: what groups of training runs reached, as a table and a picture."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import typer

from hiera_cli.cli.options import OutputOptions
from hiera_cli.cli.records import Layout, RecordWriter
from hiera_cli.errors import UsageError

if TYPE_CHECKING:
    from hiera_cli.training.compare import GroupSummary, RunGroup

FLAGS = {
    "folders": typer.Argument(metavar="FOLDERS...", help="Folders that hold runs."),
    "plot": typer.Option("--plot", help="Draw all groups into this PNG."),
}
COLUMNS = (
    "group",
    "num_videos",
    "num_runs",
    "val_top1",
    "val_plus_minus",
    "test_top1",
    "test_plus_minus",
)


def curves(folders: list[Path], output: OutputOptions, plot: Path | None = None) -> int:
    """Compare training runs: each folder is a group, its runs differ by seed.

    Runs below a folder that learnt from equally many files give a mean and its 95 % interval
    (Student's t over the runs): of their best validations, and of evaluations that were written
    into the run's folder, as `hiera eval DATASET -m RUN --out RUN/test`.
    """
    from hiera_cli.training.compare import read_groups

    groups = read_groups(folders)
    if plot is not None:
        _draw(groups, plot)
    with RecordWriter(output, Layout(COLUMNS, _csv_rows, _show)) as writer:
        for group in groups:
            writer.write(group.summary())
    return 0


def _draw(groups: tuple["RunGroup", ...], plot: Path) -> None:
    from hiera_cli.report.curves import draw_groups

    if not draw_groups(groups, plot):
        raise UsageError("--plot needs matplotlib", hint="pip install 'hiera-cli[report]'")


def _csv_rows(group: "GroupSummary") -> Iterator[Mapping[str, Any]]:
    yield asdict(group)


def _show(group: "GroupSummary", stream: IO[str]) -> None:
    runs = f"{group.num_runs} run{'s' if group.num_runs > 1 else ''}"
    validation = _percent("validation", group.val_top1, group.val_plus_minus)
    test = _percent("test", group.test_top1, group.test_plus_minus)
    stream.write(f"{group.group}  {group.num_videos} files, {runs}{validation}{test}\n")


def _percent(name: str, top1: float | None, plus_minus: float | None) -> str:
    if top1 is None:
        return ""
    spread = "" if plus_minus is None else f" ± {100 * plus_minus:.1f}"
    return f"  {name} {100 * top1:.1f}{spread} %"
