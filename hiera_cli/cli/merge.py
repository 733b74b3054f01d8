"""`hiera merge`: the tables of several runs as one."""

from typing import Literal

import typer

from hiera_cli.cli import console
from hiera_cli.cli.options import TalkOptions
from hiera_cli.cli.units import counted
from hiera_cli.errors import UsageError

MergeOnExisting = Literal["error", "overwrite"]
FLAGS = {
    "parts": typer.Argument(metavar="PARTS...", help="Parquet tables, or folders of shards."),
    "out": typer.Option("-o", "--out", help="A .parquet file, or a folder for shards."),
    "on_existing": typer.Option("--on-existing", help="error or overwrite."),
    "rows_per_shard": typer.Option("--rows-per-shard", help="Rows a file of the folder."),
    "allow_incomplete": typer.Option("--allow-incomplete", help="Though shares are missing."),
}


def merge(
    parts: list[str],
    talk: TalkOptions,
    out: str | None = None,
    on_existing: MergeOnExisting = "error",
    rows_per_shard: int | None = None,
    allow_incomplete: bool = False,
) -> int:
    """Merge tables of features (or of predictions) that were made with the same settings.

    Of the shares of a job array it is made sure that all are there and that every input is in
    exactly one of them, with its rows or as a failure.
    """
    if out is None:
        raise UsageError("merge needs --out", hint="add --out features.parquet")
    from hiera_cli.tables import merge_tables

    num_rows = merge_tables(
        parts,
        out,
        overwrite=on_existing == "overwrite",
        rows_per_shard=rows_per_shard,
        allow_incomplete=allow_incomplete,
    )
    if not talk.quiet:
        console.say(f"{counted(num_rows, 'row', be=True)} in {out}")
    return 0
