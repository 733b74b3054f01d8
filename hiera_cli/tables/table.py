"""A table in the making: what is finished, rows in as items finish, one sorted result out.

An item (a video) has a key, the value of the table's first column, and one or more rows. The
result depends on the rows alone: not on the order in which items finished, nor on how often the
run was killed and started again.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import pyarrow as pa

from hiera_cli.errors import Failure, UsageError
from hiera_cli.files import output_errors, write_text
from hiera_cli.options import OnExisting
from hiera_cli.tables.columns import Column, Values, to_schema
from hiera_cli.tables.failures import append_failure, read_failures, write_failures
from hiera_cli.tables.journal import Block, JournalWriter, read_journals
from hiera_cli.tables.place import Output
from hiera_cli.tables.reading import (
    METADATA_KEY,
    Piece,
    cut_by_key,
    merge_pieces,
    read_keys,
    read_pieces,
)
from hiera_cli.tables.rows import RowBlocks
from hiera_cli.tables.settings import look_before, package_versions, refuse_differences
from hiera_cli.tables.shards import (
    DEFAULT_ROWS_PER_SHARD,
    ShardWriter,
    finish_publishing,
    new_shard_folder,
    publish,
)


class TableWriter:
    """Adds items to a table in the making; one for each process that does.

    Every method raises OutputError when the disk is full, gone or may not be written.
    """

    def __init__(self, output: Output, columns: Sequence[Column]) -> None:
        self._output = output
        self._blocks = RowBlocks(columns)
        with output_errors(output.path):
            self._journal = JournalWriter(output.partial)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._journal.close()

    def append(self, rows: Mapping[str, Values]) -> None:
        """Add rows to the item in progress.

        Args:
            rows: values by column name; for a list column an array (rows, width).
        """
        block = self._blocks.add(rows)
        if block is not None:
            self.append_block(block)

    def append_block(self, block: memoryview) -> None:
        """Add a block of rows, as `RowBlocks` makes them, to the item in progress."""
        with output_errors(self._output.path):
            self._journal.append(block)

    def commit(self, key: str) -> None:
        """Declare the item in progress finished; from here on it survives a kill."""
        block = self._blocks.take()
        if block is not None:
            self.append_block(block)
        with output_errors(self._output.path):
            self._journal.commit(key)

    def discard(self) -> None:
        """Forget the rows of the item in progress."""
        self._blocks.clear()
        with output_errors(self._output.path):
            self._journal.discard()

    def fail(self, failure: Failure) -> None:
        """Forget the rows of the item in progress, and note why; `failure.path` is its key."""
        self.discard()
        with output_errors(self._output.path):
            append_failure(self._output.errors, failure)


@dataclass(frozen=True, eq=False, slots=True)
class Table:
    """A table in the making, held by this process.

    Attributes:
        output: where it goes.
        columns: its columns; the first one is the key.
        metadata: what the result says about itself.
        finished: keys of the items that need no work.
        failures: by key, the items that failed before.
        replaces: whether what the output holds now is to be forgotten.
        rows_per_shard: the size of the files of a folder; None for one file.
    """

    output: Output
    columns: tuple[Column, ...]
    metadata: Mapping[str, Any]
    finished: frozenset[str]
    failures: Mapping[str, Failure]
    replaces: bool
    rows_per_shard: int | None

    def writer(self) -> TableWriter:
        """A writer for this process."""
        return TableWriter(self.output, self.columns)

    def finish(self, *, keep_empty: bool = False) -> int:
        """Merge everything into the result, put it in place and end the work in progress.

        Args:
            keep_empty: write a table without rows when every item failed. Otherwise there is no
                result then: it would fix the settings of nothing.

        Returns:
            The number of rows added to those that the output held before.

        Raises:
            OutputError: the disk is full or gone; finished items are kept for the next run.
        """
        with output_errors(self.output.path):
            journals = read_journals(self.output.partial)
            done = self.finished | journals.keys()
            listed = read_failures(self.output.errors)
            failures = {key: failure for key, failure in listed.items() if key not in done}
            write_failures(self.output.errors, failures)
            nothing_came = bool(failures) and not journals and not self.output.files
            wanted = keep_empty or not nothing_came
            if journals or self.replaces or (wanted and not self.output.files):
                return self._assemble(journals)
            self.output.settings.unlink()
            return 0

    def _assemble(self, journals: Mapping[str, tuple[Block, ...]]) -> int:
        schema = to_schema(self.columns).with_metadata({METADATA_KEY: json.dumps(self.metadata)})
        kept = [] if self.replaces else self.output.files
        new, old = _journal_pieces(journals, schema), read_pieces(kept, source=1)
        folder, num_new = new_shard_folder(self.output), 0
        with ShardWriter(folder, schema, rows_per_shard=self.rows_per_shard) as shards:
            for piece in merge_pieces([new, old]):
                if piece.source == 0 or piece.key not in journals:
                    shards.write(piece.batch)
                    num_new += piece.batch.num_rows if piece.source == 0 else 0
        publish(self.output, folder, shards.num_shards)
        return num_new


def _journal_pieces(
    journals: Mapping[str, tuple[Block, ...]], schema: pa.Schema
) -> Iterator[Piece]:
    """The rows in the journals, sorted by key."""
    for key in sorted(journals):
        for block in journals[key]:
            yield from cut_by_key(pa.ipc.read_record_batch(block.read(), schema), source=0)


def finished_keys(output: Output) -> set[str]:
    """Keys of the items that an output and the unfinished work beside it hold."""
    finished = set(read_journals(output.partial))
    return finished.union(*(read_keys(file) for file in output.files))


def _choose_rows_per_shard(output: Output, asked: int | None) -> int | None:
    """The size of a folder's files; None for a single file, which cannot be asked for one."""
    if output.is_folder:
        return asked or DEFAULT_ROWS_PER_SHARD
    if asked is not None:
        hint = f"--out {output.path.with_suffix('')}/"
        raise UsageError("--rows-per-shard needs a folder", hint=hint)
    return None


def begin_table(
    output: Output,
    columns: Sequence[Column],
    *,
    settings: Mapping[str, Any],
    roots: Sequence[str] = (),
    notes: Mapping[str, Any] | None = None,
    on_existing: OnExisting = "resume",
    rows_per_shard: int | None = None,
) -> Table:
    """Start a table, or go on with what earlier runs left. The output must be locked.

    Args:
        output: where it goes.
        columns: its columns; the first one, of strings, is the key.
        settings: what its rows are made with, as JSON; work with other settings is not mixed in.
        roots: folders that the keys are relative to, for whoever looks for the files later.
        notes: more for the metadata, as JSON, that may differ between runs.
        on_existing: what to do with an output or unfinished work that is there already.
        rows_per_shard: the size of the files of a folder.

    Raises:
        UsageError: the output exists and may not, is no table of ours, or has other settings.
        OutputError: the output cannot be written.
    """
    with output_errors(output.path):
        finish_publishing(output)
        rows_per_shard = _choose_rows_per_shard(output, rows_per_shard)
        own = json.loads(json.dumps({**settings, "columns": [str(c) for c in columns]}))
        before = look_before(output, on_existing)
        if before.settings is not None:
            refuse_differences(output, before.settings, own)
        all_roots = sorted({*before.roots, *roots})
        state = {"settings": own, "roots": all_roots, "replaces": before.replaces}
        write_text(output.settings, json.dumps(state, indent=1))
        finished = finished_keys(output) if not before.replaces else read_journals(output.partial)
        return Table(
            output=output,
            columns=tuple(columns),
            metadata={
                **own,
                "versions": package_versions(),
                "roots": all_roots,
                "notes": dict(notes or {}),
            },
            finished=frozenset(finished),
            failures=read_failures(output.errors),
            replaces=before.replaces,
            rows_per_shard=rows_per_shard,
        )
