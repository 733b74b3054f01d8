"""Writing the result: rows into row groups and shards, then all of them into place at once."""

import shutil
from pathlib import Path
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from hiera_cli.files import flush, put_in_place
from hiera_cli.tables.columns import row_bytes
from hiera_cli.tables.place import Output

ROW_GROUP_BYTES = 32 * 2**20
DEFAULT_ROWS_PER_SHARD = 100_000


class ShardWriter:
    """Sorted rows into Parquet files `00000.parquet`, `00001.parquet`, … of a folder.

    Where the row groups and the files end depends on the rows alone. Every method raises OSError
    when the disk is full or gone.
    """

    def __init__(self, folder: Path, schema: pa.Schema, *, rows_per_shard: int | None) -> None:
        self.num_rows = 0
        self.num_shards = 0
        self._folder = folder
        self._schema = schema
        self._rows_per_group = max(1, ROW_GROUP_BYTES // row_bytes(schema))
        self._rows_per_shard = rows_per_shard
        self._held: list[pa.RecordBatch] = []
        self._num_held = 0
        self._num_in_shard = 0
        self._file: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        self._open_shard()
        return self

    def __exit__(self, error_type: object, *_: object) -> None:
        if error_type is None:
            self._write_group()
            self._close_shard()
        elif self._file is not None:
            # pyarrow would write the footer on deletion
            self._file.is_open = False  # no footer: the disk may be full, and nobody reads it

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows."""
        while batch.num_rows:
            if self._num_in_shard == self._rows_per_shard:
                self._write_group()
                self._close_shard()
                self._open_shard()
            taken = batch.slice(0, self._room())
            batch = batch.slice(taken.num_rows)
            self._held.append(taken)
            self._num_held += taken.num_rows
            self._num_in_shard += taken.num_rows
            self.num_rows += taken.num_rows
            if self._num_held == self._rows_per_group:
                self._write_group()

    def _room(self) -> int:
        """How many more rows fit into the row group and the shard."""
        in_group = self._rows_per_group - self._num_held
        if self._rows_per_shard is None:
            return in_group
        return min(in_group, self._rows_per_shard - self._num_in_shard)

    def _open_shard(self) -> None:
        self._path = self._folder / f"{self.num_shards:05d}.parquet"
        self._file = pq.ParquetWriter(
            self._path,
            self._schema,
            compression="zstd",
            use_dictionary=[self._schema.names[0]],  # floats do not repeat
        )
        self.num_shards += 1
        self._num_in_shard = 0

    def _write_group(self) -> None:
        if self._held and self._file is not None:
            self._file.write_table(pa.Table.from_batches(self._held, self._schema))
            self._held, self._num_held = [], 0

    def _close_shard(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            flush(self._path)


def new_shard_folder(output: Output) -> Path:
    """An empty folder to write shards in, beside the output."""
    folder = output.partial / "assembled"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def publish(output: Output, folder: Path, num_shards: int) -> None:
    """Put complete shards in the place of the output's present ones.

    The first rename decides: killed before it, nothing has changed; after it, `finish_publishing`
    does the rest in the next run.

    Raises:
        OSError: the disk is gone or may not be written.
    """
    folder.rename(output.partial / f"ready-{num_shards:05d}")
    finish_publishing(output)


def finish_publishing(output: Output) -> None:
    """Move shards that are complete, if there are any, and end the work in progress.

    Raises:
        OSError: the disk is gone or may not be written.
    """
    for ready in output.partial.glob("ready-*"):
        total = ready.name.removeprefix("ready-")
        if output.is_folder:
            for stale in output.path.glob("part-*-of-*.parquet"):
                if not stale.stem.endswith(f"-of-{total}"):
                    stale.unlink()
        for shard in sorted(ready.iterdir()):
            name = f"part-{shard.stem}-of-{total}.parquet"
            put_in_place(shard, output.path / name if output.is_folder else output.path)
        output.settings.unlink(missing_ok=True)
        ready.rmdir()
