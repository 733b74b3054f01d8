"""`hiera dataset`: a look at a labelled data set before anything is computed on it."""

import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hiera_cli.cli import console
from hiera_cli.cli.options import TalkOptions
from hiera_cli.cli.width import shorten, wrap
from hiera_cli.datasets.options import DatasetOptions
from hiera_cli.errors import Failure, UsageError
from hiera_cli.files import write_bytes
from hiera_cli.inputs import printable

if TYPE_CHECKING:
    from hiera_cli.tasks.dataset.duplicates import DuplicateSet
    from hiera_cli.tasks.dataset.summary import DatasetReport, ValueCount

ReportFormat = Literal["table", "json"]
DataSet = Annotated[
    str,
    typer.Argument(
        metavar="DATASET", show_default=False, help="Class folders, Kinetics folder or list file."
    ),
]
FLAGS = {
    "annotations": typer.Option("--annotations", help="Kinetics CSV or list with the labels."),
    "group": typer.Option(
        "--group",
        help="Column of a list, or regular expression over the names, for what belongs together.",
    ),
    "multi_label": typer.Option("--multi-label", help="Several classes a file, separated by `;`."),
    "count": typer.Option(
        "--count/--no-count",
        help="Decode every frame, which finds damage in the middle, or the first one.",
    ),
    "seed": typer.Option("--seed", help="Of the suggested split."),
    "format": typer.Option("-f", "--format", help="What stdout gets: table or json."),
    "out": typer.Option("-o", "--out", help="Write it here instead of stdout (.json: as JSON)."),
    "html": typer.Option("--html", help="Write a page that needs nothing else."),
    "write_split": typer.Option(
        "--write-split", help="Divide it: val=0.2, or val=0.1,test=0.1; train gets the rest."
    ),
    "split_dir": typer.Option(
        "--split-dir", help="Where the lists go.", show_default="split-DATASET"
    ),
}
MAX_SHOWN, BAR_COLUMNS, INDENT = 10, 24, 11


def dataset(
    data: DataSet,
    options: DatasetOptions,
    talk: TalkOptions,
    format: ReportFormat | None = None,  # noqa: A002
    out: Path | None = None,
    html: Path | None = None,
    write_split: str | None = None,
    split_dir: Path | None = None,
) -> int:
    """Look at a labelled data set: classes, files, what is broken, doubled or leaks; no model.

    Suggests a split that keeps the share of every class, and groups and equal files together, and
    writes it with --write-split as lists that `fit`, `finetune` and `eval` take.
    """
    from hiera_cli.tasks.dataset.look import look_at

    shares = None if write_split is None else _shares(write_split)
    with console.waiting("reading the data set", quiet=talk.quiet):
        look = look_at(data, options)
    for result in console.progress(
        look.run(), total=look.num_there, unit="files", quiet=talk.quiet
    ):
        if isinstance(result, Failure):
            console.show_failure(result)
    folder = (split_dir or _default_folder(data)) if shares else None
    report = look.report(shares=shares, folder=folder)
    if html is not None:
        from hiera_cli.report.dataset_page import write_page

        command = printable(shlex.join(["hiera", *sys.argv[1:]]))
        write_page(report, look.facts, html, command=command)
    _put(report, out, as_json=_wants_json(format, out))
    if folder is not None and not talk.quiet:
        console.say(f"the split is in {folder}: hiera finetune {shlex.quote(str(folder))}")
    if not look.facts:
        return 4
    return 3 if report.num_missing or report.num_broken else 0


def _shares(text: str) -> dict[str, float]:
    """The shares that `val=0.2,test=0.1` means."""
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = part.partition("=")
        try:
            shares[_split_name(name)] = float(share.removesuffix("%")) / (
                100 if share.endswith("%") else 1
            )
        except ValueError as error:
            raise UsageError(
                f"--write-split is '{text}'", hint="say val=0.2, or val=0.1,test=0.1"
            ) from error
    from hiera_cli.tasks.dataset.split import check_shares

    check_shares(shares)
    return shares


def _split_name(text: str) -> str:
    name = text.strip()
    if not name.isidentifier():
        raise ValueError(name)
    return name


def _default_folder(data: str) -> Path:
    name = Path(data).resolve().name or "data"
    return Path(f"split-{name.rsplit('.', 1)[0] if Path(data).is_file() else name}")


def _wants_json(format: ReportFormat | None, out: Path | None) -> bool:  # noqa: A002
    if format not in (None, "table", "json"):
        raise UsageError(f"--format is '{format}'", hint="use one of table, json")
    return format == "json" or (format is None and out is not None and out.suffix == ".json")


def _put(report: "DatasetReport", out: Path | None, *, as_json: bool) -> None:
    if as_json:
        text = json.dumps(asdict(report), indent=2) + "\n"
    else:
        width = console.width_of(sys.stdout) if out is None else float("inf")
        text = "".join(f"{line}\n" for line in _lines(report, width))
    if out is None:
        sys.stdout.write(text)
    else:
        write_bytes(out, text.encode("utf-8", "backslashreplace"))


# ------------------------------------------------------------------------------------- as a table


def _lines(report: "DatasetReport", width: float) -> Iterator[str]:
    """The report in lines of text of so many columns."""
    bar_columns = int(min(BAR_COLUMNS, max(width - 50, 3)))
    lines = chain(
        _head(report),
        _classes(report, bar_columns=bar_columns),
        _files(report),
        _faults(report),
        _split(report),
    )
    for line in lines:
        yield from wrap(printable(line), width, indent=INDENT)


def _head(report: "DatasetReport") -> Iterator[str]:
    yield from (f"read as    {layout}" for layout in report.layouts)
    splits = ", ".join(f"{count} {name}" for name, count in report.splits.items())
    yield f"files      {report.num_files}" + (f": {splits}" if splits else "")
    yield (
        f"           {report.num_missing} missing, {report.num_broken} broken, "
        f"{report.num_damaged} with warnings, {report.num_repeated_rows} repeated rows left out"
    )


def _classes(report: "DatasetReport", *, bar_columns: int) -> Iterator[str]:
    splits = list(report.splits) if len(report.splits) > 1 else []
    width = min(max(len(c.label) for c in report.classes), 12 + bar_columns)
    largest = max(c.num_files for c in report.classes)
    title = f"classes    {len(report.classes)}"
    yield title + "".join(
        f"{name:>8}" if n else f"{name:>{width + bar_columns + 19 - len(title)}}"
        for n, name in enumerate(splits)
    )
    for c in report.classes:
        bar = "━" * max(1, round(bar_columns * c.num_files / largest))
        counts = "".join(f"{c.splits.get(name, 0):>8}" for name in splits)
        bad = f"  {c.num_missing} missing" if c.num_missing else ""
        bad += f"  {c.num_broken} broken" if c.num_broken else ""
        name = shorten(c.label, width)
        line = f"  {name:{width}} {bar:{bar_columns}} {c.num_files:>5}  {counts}{bad}"
        yield line.rstrip()


def _files(report: "DatasetReport") -> Iterator[str]:
    yield (
        f"           always the largest class: {report.majority:.1%}; "
        f"it has {report.imbalance:.1f} times the files of the smallest"
    )
    if report.durations is not None:
        d = report.durations
        yield (
            f"seconds    {d.minimum:.1f} to {d.maximum:.1f}, median {d.median:.1f}; "
            f"{d.total / 3600:.2f} hours in all"
        )
    if report.num_bytes is not None:
        b = report.num_bytes
        yield f"size       {_bytes(b.minimum)} to {_bytes(b.maximum)}, {_bytes(b.total)} in all"
    for name, values in (
        ("pixels", report.sizes),
        ("fps", report.rates),
        ("codecs", report.codecs),
    ):
        if values:
            yield f"{name:10} {_values(values)}"


def _values(values: Sequence["ValueCount"]) -> str:
    shown = ", ".join(f"{value.value} ({value.count})" for value in values[:5])
    return shown + (f" and {len(values) - 5} more" if len(values) > 5 else "")


def _bytes(number: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.0f} {unit}"
        number /= 1024
    return f"{number:.1f} GiB"


def _faults(report: "DatasetReport") -> Iterator[str]:
    yield from _some("broken", [f"{f.path}: {f.message} ({f.kind})" for f in report.broken])
    yield from _some("missing", list(report.missing))
    if report.missing_hint:
        yield f"           {report.missing_hint}"
    yield from _some("duplicates", list(map(_equal, report.duplicates)))
    yield from _some("conflicts", [f"{_equal(s)}: {', '.join(s.labels)}" for s in report.conflicts])
    yield from _some("leaks", [f"{_equal(s)}: {', '.join(s.splits)}" for s in report.leaks])
    groups = [f"{g.group}: {', '.join(g.splits)}, {g.num_files} files" for g in report.group_leaks]
    if report.num_groups:
        yield f"groups     {report.num_groups}"
    yield from _some("group leaks", groups)
    yield from _some("warnings", list(report.warnings))


def _equal(same: "DuplicateSet") -> str:
    more = f" and {len(same.paths) - 3} more" if len(same.paths) > 3 else ""
    return " = ".join(same.paths[:3]) + more


def _some(title: str, lines: Sequence[str]) -> Iterator[str]:
    """A heading with a count, and the first few lines below it."""
    if lines:
        yield f"{title:10} {len(lines)}"
        yield from (f"           {line}" for line in lines[:MAX_SHOWN])
        if len(lines) > MAX_SHOWN:
            yield f"           and {len(lines) - MAX_SHOWN} more"


def _split(report: "DatasetReport") -> Iterator[str]:
    if report.suggestion is None:
        return
    parts = report.suggestion.parts
    shown = ", ".join(f"{part.num_files} {part.name}" for part in parts)
    if report.suggestion.folder is not None:
        yield f"split      {shown}, in {report.suggestion.folder}"
    else:
        yield f"split      suggested: {shown}; write it with --write-split val=0.2"
