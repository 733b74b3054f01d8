"""Rows on their way into a table: gathered into blocks, and carried there from another process.

A process that may write the table uses `TableWriter` (`table.py`). One that may not, because it
runs on another machine, uses a `RelayWriter`: what it is told becomes a stream of events, which
`replay` carries out where the table is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from hiera_cli.errors import Failure
from hiera_cli.tables.columns import Column, Values, to_batch

BLOCK_BYTES = 4 * 2**20
BLOCK_APPENDS = 256  # a batch of one row costs kilobytes beside its values


class RowWriter(Protocol):
    """Takes items, each as rows and then a last word."""

    def append(self, rows: Mapping[str, Values]) -> None:
        """Add rows to the item in progress."""

    def commit(self, key: str) -> None:
        """Declare the item in progress finished."""

    def fail(self, failure: Failure) -> None:
        """Forget the rows of the item in progress, and note why."""


class BlockWriter(RowWriter, Protocol):
    """Takes the rows of an item as blocks, as well."""

    def append_block(self, block: memoryview) -> None:
        """Add a block of rows, as `RowBlocks` makes them, to the item in progress."""


class RowBlocks:
    """Rows of one item, gathered into blocks of some megabytes in Arrow's form."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = tuple(columns)
        self.clear()

    def clear(self) -> None:
        """Forget the rows that are held."""
        self._held: list[pa.RecordBatch] = []
        self._num_bytes = 0

    def add(self, rows: Mapping[str, Values]) -> memoryview | None:
        """Hold rows; a block when there are enough for one.

        Args:
            rows: values by column name; for a list column an array (rows, width).
        """
        batch = to_batch(self._columns, rows)
        self._held.append(batch)
        self._num_bytes += batch.nbytes
        is_full = self._num_bytes >= BLOCK_BYTES or len(self._held) >= BLOCK_APPENDS
        return self.take() if is_full else None

    def take(self) -> memoryview | None:
        """All rows that are held as a block; None when there are none."""
        if not self._held:
            return None
        block = pa.concat_batches(self._held).serialize()
        self.clear()
        return memoryview(block)


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of the item in progress."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Commit:
    """The item in progress is finished."""

    key: str


Event = Block | Commit | Failure


class RelayWriter:
    """Turns items into events.

    Args:
        columns: of the table.
        send: called with each event in order.
    """

    def __init__(self, columns: Sequence[Column], send: Callable[[Event], None]) -> None:
        self._blocks = RowBlocks(columns)
        self._send = send

    def append(self, rows: Mapping[str, Values]) -> None:
        """Add rows to the item in progress."""
        self._send_block(self._blocks.add(rows))

    def commit(self, key: str) -> None:
        """Declare the item in progress finished."""
        self._send_block(self._blocks.take())
        self._send(Commit(key))

    def fail(self, failure: Failure) -> None:
        """Forget the rows of the item in progress, and note why."""
        self._blocks.clear()
        self._send(failure)

    def _send_block(self, block: memoryview | None) -> None:
        if block is not None:
            self._send(Block(bytes(block)))


def replay(event: Event, writer: BlockWriter) -> None:
    """Do to a table what was done to the `RelayWriter` that made the event.

    Raises:
        OutputError: the table cannot be written.
    """
    if isinstance(event, Block):
        writer.append_block(memoryview(event.content))
    elif isinstance(event, Commit):
        writer.commit(event.key)
    else:
        writer.fail(event)
