"""Several tables as one: the parts of a job array, or of several folders."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from hiera_cli.errors import Failure, UsageError
from hiera_cli.files import output_errors
from hiera_cli.remote import is_remote
from hiera_cli.tables.completeness import check_complete, without_share
from hiera_cli.tables.failures import read_failures, write_failures
from hiera_cli.tables.place import Output, lock_output, parse_output
from hiera_cli.tables.reading import (
    METADATA_KEY,
    Piece,
    merge_pieces,
    read_metadata,
    read_pieces,
    read_schema,
    sorted_runs,
    table_files,
)
from hiera_cli.tables.settings import comparable, differences
from hiera_cli.tables.shards import DEFAULT_ROWS_PER_SHARD, ShardWriter, new_shard_folder, publish
from hiera_cli.tables.stored import is_folder_url, local_table, stored


def merge_tables(
    parts: Sequence[str],
    out: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    rows_per_shard: int | None = None,
    allow_incomplete: bool = False,
) -> int:
    """Merge sorted tables into one sorted table, in memory of a few rows each.

    Args:
        parts: files, or folders of shards, or URLs of these.
        out: a file, or a folder for shards, or a URL of either.
        overwrite: whether an output that is there already is replaced.
        rows_per_shard: the size of the files of a folder.
        allow_incomplete: merge the shares of a job array though some of them are missing.

    Returns:
        The number of rows written.

    Raises:
        UsageError: shares of a job array are missing or incomplete; a part is no table of ours,
            was made with other settings than the first, or holds a key that another one holds.
        OutputError: the output exists or cannot be written.
    """
    with ExitStack() as stack:
        paths = [stack.enter_context(local_table(part)).absolute() for part in parts]
        if is_remote(os.fspath(out)):
            is_folder = is_folder_url(os.fspath(out))
            place = stack.enter_context(stored(f"{out}/" if is_folder else os.fspath(out)))
            out = f"{place}/" if is_folder else place
        return _merge(
            paths,
            parse_output(out),
            overwrite=overwrite,
            rows_per_shard=rows_per_shard,
            allow_incomplete=allow_incomplete,
        )


def _merge(
    paths: Sequence[Path],
    output: Output,
    *,
    overwrite: bool,
    rows_per_shard: int | None,
    allow_incomplete: bool,
) -> int:
    """As `merge_tables`, on this machine's disks."""
    metadata = _common_metadata(paths)
    if not allow_incomplete:
        check_complete([file for path in paths for file in table_files(path)])
    runs = [run for path in paths for run in sorted_runs(path)]
    with lock_output(output), output_errors(output.path):
        if (output.files or output.settings.exists()) and not overwrite:
            raise UsageError(f"{output.path} exists already", hint="add --on-existing overwrite")
        if output.is_folder:
            rows_per_shard = rows_per_shard or DEFAULT_ROWS_PER_SHARD
        schema = read_schema(runs[0][0]).with_metadata({METADATA_KEY: json.dumps(metadata)})
        folder, finished = new_shard_folder(output), set()
        with ShardWriter(folder, schema, rows_per_shard=rows_per_shard) as shards:
            sources = [read_pieces(run, source) for source, run in enumerate(runs)]
            for piece in _distinct(merge_pieces(sources), runs):
                shards.write(piece.batch)
                finished.add(piece.key)
        write_failures(output.errors, _open_failures(paths, finished))
        publish(output, folder, shards.num_shards)
    return shards.num_rows


def _distinct(pieces: Iterator[Piece], runs: Sequence[list[Path]]) -> Iterator[Piece]:
    """The pieces, after making sure that the rows of a key come from one table."""
    previous: Piece | None = None
    for piece in pieces:
        if previous and piece.key == previous.key and piece.source != previous.source:
            raise UsageError(
                f"'{piece.key}' is in {runs[previous.source][0]} and in {runs[piece.source][0]}",
                hint="merge tables of different videos, or extract with --absolute-paths",
            )
        previous = piece
        yield piece


def _common_metadata(paths: Sequence[Path]) -> dict[str, Any]:
    """The metadata of the first part, with the roots of all of them."""
    parts = [read_metadata(path) for path in paths]
    for path, part in zip(paths, parts, strict=True):
        found = differences(comparable(parts[0]), comparable(part))
        if found:
            raise UsageError(f"{path} does not fit {paths[0]}: {'; '.join(found)}")
    roots = {root for part in parts for root in part.get("roots", ())}
    return without_share({**parts[0], "roots": sorted(roots)})


def _open_failures(paths: Sequence[Path], finished: set[str]) -> dict[str, Failure]:
    """The failures of all parts that no other part made good."""
    found: dict[str, Failure] = {}
    for path in paths:
        for table in {path, *table_files(path)}:
            found |= read_failures(table.with_name(table.name + ".errors.jsonl"))
    return {key: failure for key, failure in found.items() if key not in finished}
