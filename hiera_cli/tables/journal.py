"""Finished work, append-only, so that kill -9 at any moment costs only what was in flight.

    settings.json       what the blocks were made with
    rows-0000.bin       blocks of bytes, one after another
    rows-0000.jsonl     a line for each finished item: its key and where its blocks lie

Every process of every run has its own pair of files, and a line is written after its blocks are
on disk. So the complete lines tell the truth, and whatever was in flight is bytes that no line
mentions. Nothing here knows what a block means.
"""

import errno
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from hiera_cli.tables.failures import read_lines
from hiera_cli.tables.place import write_all


@dataclass(frozen=True, slots=True)
class Block:
    """Bytes on disk."""

    file: Path
    offset: int
    length: int

    def read(self) -> bytes:
        """The bytes."""
        with self.file.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.length)


class JournalWriter:
    """Appends the blocks of one item after another; an item exists once it is committed.

    Every method raises OSError when the disk is full or gone.
    """

    def __init__(self, folder: Path) -> None:
        self._lines = _open_next(folder)
        self._blocks = Path(self._lines.name).with_suffix(".bin").open("xb", buffering=0)
        self._spans: list[tuple[int, int]] = []
        self._end = 0

    def append(self, block: memoryview) -> None:
        """Write a block of the item in progress."""
        self._blocks.seek(self._end)
        write_all(self._blocks, block)
        self._spans.append((self._end, len(block)))
        self._end += len(block)

    def commit(self, key: str) -> None:
        """Declare the item in progress finished."""
        os.fsync(self._blocks.fileno())
        line = json.dumps({"key": key, "blocks": self._spans}) + "\n"
        write_all(self._lines, memoryview(line.encode()))
        if os.fstat(self._lines.fileno()).st_nlink == 0:
            raise FileNotFoundError(errno.ENOENT, "the output folder was removed")
        self._spans = []

    def discard(self) -> None:
        """Forget the item in progress."""
        self._end = self._spans[0][0] if self._spans else self._end
        self._spans = []
        os.ftruncate(self._blocks.fileno(), self._end)

    def close(self) -> None:
        """Close the files; what was committed stays."""
        self._blocks.close()
        self._lines.close()


def _open_next(folder: Path) -> IO[bytes]:
    """A new journal file that no other process has."""
    number = sum(1 for _ in folder.glob("rows-*.jsonl"))
    while True:
        try:
            return (folder / f"rows-{number:04d}.jsonl").open("xb", buffering=0)
        except FileExistsError:
            number += 1


def read_journals(folder: Path) -> dict[str, tuple[Block, ...]]:
    """Where the blocks of each finished item lie, by key."""
    found: dict[str, tuple[Block, ...]] = {}
    for journal in sorted(folder.glob("rows-*.jsonl")):
        file = journal.with_suffix(".bin")
        size = file.stat().st_size if file.exists() else 0
        for line in read_lines(journal):
            blocks = tuple(Block(file, offset, length) for offset, length in line["blocks"])
            if all(block.offset + block.length <= size for block in blocks):
                found[line["key"]] = blocks
    return found
