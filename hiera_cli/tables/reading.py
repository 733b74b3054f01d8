"""Reading finished tables: what made them, their rows in bounded memory, sorted ones merged."""

import heapq
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hiera_cli.errors import UsageError
from hiera_cli.tables.columns import row_bytes, to_numpy

METADATA_KEY = b"hiera_cli"
READ_BYTES = 8 * 2**20


@dataclass(frozen=True, eq=False, slots=True)
class Piece:
    """Consecutive rows of one item.

    Attributes:
        key: the item's key, the value of the first column in all its rows.
        source: number of the table that it comes from.
        batch: the rows.
    """

    key: str
    source: int
    batch: pa.RecordBatch


def table_files(path: Path) -> list[Path]:
    """The Parquet files of a table: itself, or the shards in a folder."""
    return sorted(path.glob("*.parquet")) if path.is_dir() else [path] * path.exists()


def sorted_runs(path: Path) -> list[list[Path]]:
    """The files of a table in groups that are sorted from the first row to the last.

    The shards of one table are such a group; other files in its folder (one for each task of a
    job array) are sorted each for itself.
    """
    shards = [file for file in table_files(path) if file.match("part-*-of-*.parquet")]
    others = [[file] for file in table_files(path) if file not in shards]
    return [shards, *others] if shards else others


def read_metadata(path: Path) -> dict[str, Any]:
    """What a table says about how it was made.

    Raises:
        UsageError: there is no table, or another program wrote it.
    """
    files = table_files(path)
    if not files:
        raise UsageError(f"there is no table at {path}")
    return _metadata(read_schema(files[0]), path)


def read_schema(file: Path) -> pa.Schema:
    """The schema of a Parquet file.

    Raises:
        UsageError: it is not a Parquet file.
    """
    try:
        return pq.read_schema(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise UsageError(f"{file} is not a readable Parquet file: {error}") from error


def _metadata(schema: pa.Schema, path: Path) -> dict[str, Any]:
    text = (schema.metadata or {}).get(METADATA_KEY)
    if text is None:
        raise UsageError(
            f"{path} was not written by hiera",
            hint="choose another --out, or replace it with --on-existing overwrite",
        )
    found: dict[str, Any] = json.loads(text)
    return found


def count_rows(path: Path) -> int:
    """The number of rows of a table; reads the footers alone."""
    return sum(pq.read_metadata(file).num_rows for file in table_files(path))


def read_keys(path: Path) -> set[str]:
    """The distinct keys (first column) of a table."""
    keys: set[str] = set()
    for file in table_files(path):
        with pq.ParquetFile(file) as table:
            key_column = table.schema_arrow.names[0]
            for batch in table.iter_batches(columns=[key_column]):
                keys.update(batch.column(0).unique().to_pylist())
    return keys


def read_rows(
    path: Path, *, columns: Sequence[str] | None = None
) -> Iterator[dict[str, npt.NDArray[Any]]]:
    """The rows of a table in order, some at a time.

    Args:
        path: a file or a folder of shards.
        columns: the columns wanted; None for all.

    Yields:
        Arrays by column name: (rows,) or, for list columns, (rows, width).
    """
    for file in table_files(path):
        with pq.ParquetFile(file) as table:
            for batch in table.iter_batches(_rows_at_once(table), columns=columns):
                yield {name: to_numpy(batch.column(name)) for name in batch.schema.names}


def take_rows(path: Path, row_indices: Sequence[int]) -> Iterator[dict[str, npt.NDArray[Any]]]:
    """Rows by their position in a table, in ascending order, each as arrays of one row.

    Only the row groups that hold one of them are read.
    """
    wanted, start = sorted(row_indices), 0
    for file in table_files(path):
        with pq.ParquetFile(file) as table:
            for group in range(table.num_row_groups):
                end = start + table.metadata.row_group(group).num_rows
                here = [index - start for index in wanted if start <= index < end]
                if here:
                    rows = table.read_row_group(group).take(here).combine_chunks()
                    for batch in rows.to_batches(max_chunksize=1):
                        yield {name: to_numpy(batch.column(name)) for name in batch.schema.names}
                start = end


def read_pieces(files: Iterable[Path], source: int) -> Iterator[Piece]:
    """The rows of files, cut where the key changes."""
    for file in files:
        with pq.ParquetFile(file) as table:
            for batch in table.iter_batches(_rows_at_once(table)):
                yield from cut_by_key(batch, source)


def _rows_at_once(table: pq.ParquetFile) -> int:
    return max(1, READ_BYTES // row_bytes(table.schema_arrow))


def cut_by_key(batch: pa.RecordBatch, source: int) -> Iterator[Piece]:
    """Slices of a batch with one key each."""
    runs = pc.run_end_encode(batch.column(0))
    start = 0
    for key, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
        yield Piece(key, source, batch.slice(start, end - start))
        start = end


def merge_pieces(sources: Iterable[Iterator[Piece]]) -> Iterator[Piece]:
    """Sorted sources as one sorted stream, in memory of one piece a source."""
    return heapq.merge(*sources, key=lambda piece: piece.key)
