"""`hiera benchmark --suite`: the rows of a table as they come, and the table at the end."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any

from hiera_cli.cli import console
from hiera_cli.cli.options import OutputOptions
from hiera_cli.cli.records import Layout, RecordWriter, choose_format

if TYPE_CHECKING:
    from hiera_cli.tasks.benchmark.suite.options import SuiteOptions
    from hiera_cli.tasks.benchmark.suite.rows import Row

COLUMNS = ("section", "name", "state", "figure", "value", "reason")


def benchmark_suite(options: "SuiteOptions", output: OutputOptions) -> int:
    """Measure a table; the exit code is 3 when a row failed.

    `--out` holds the JSON document and is written after each row; stdout gets the Markdown
    table, or the rows in the format that is asked for.
    """
    from hiera_cli.tasks.benchmark.suite.document import Document, as_markdown
    from hiera_cli.tasks.benchmark.suite.run import plan_suite, run_suite

    suite = plan_suite(options)
    rows: list[Row] = []
    on_stdout = replace(output, out=None)
    wants_table = choose_format(on_stdout) == "table"
    with RecordWriter(on_stdout, Layout(COLUMNS, _csv_rows, _say_nothing)) as writer:
        for row in console.progress(
            run_suite(suite, options), total=len(suite.plans), unit="rows", quiet=output.quiet
        ):
            rows.append(row)
            if not output.quiet:
                console.say(_line(row))
            writer.write(row)
    if wants_table:
        sys.stdout.write(as_markdown(Document(suite.conditions, tuple(rows))))
    return 3 if any(row.state == "failed" for row in rows) else 0


def _say_nothing(_row: "Row", _stream: IO[str]) -> None:
    """A Markdown table has the columns of all its rows: it is written when they are known."""


def _line(row: "Row") -> str:
    if row.state != "done":
        return f"{row.section}: {row.name}: {row.state}: {row.reason}"
    figures = ", ".join(
        f"{name.replace('_', ' ')} {value:.4g}"
        for name, value in row.figures.items()
        if isinstance(value, int | float)
    )
    return f"{row.section}: {row.name}: {figures}"


def _csv_rows(row: "Row") -> Iterable[Mapping[str, Any]]:
    facts = {"section": row.section, "name": row.name, "state": row.state, "reason": row.reason}
    for name, value in row.figures.items() if row.figures else [(None, None)]:
        yield {**facts, "figure": name, "value": value}
