"""A remote MP4 file as a local one with holes, filled as far as decoding needs it.

The decoder, which may open nothing but its file, has a plain file of the right size in front of
it. At first that holds what says where everything is (all boxes but the media data, and the
beginning of those); the rest are holes, which read as zeros and take no room. A pass over the
packets needs no more, as their places and times are in the index. Then the decoder names the bytes
of the packets that it will decode, and they are fetched. At any doubt the holes are all filled.
"""

import os
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from hiera_cli.errors import MediaError

MIN_BYTES = 2**23  # smaller files are fetched whole, in one go
HEAD_BYTES = 2**16
OPENING_BYTES = 2**19  # of media data, which FFmpeg looks into when it opens a file
MAX_GAP = 2**17  # between two spans, fetched with them rather than asked for twice
PIECE_BYTES = 2**23
MAX_BOXES = 1000
_STARTS = frozenset({b"ftyp", b"styp"})

Span = tuple[int, int]
Fill = Callable[[Sequence[Span]], None]
"""Has bytes from start up to stop be there."""


class Fetch(Protocol):
    """Gives parts of a file."""

    def __call__(self, start: int, stop: int, /) -> bytes:
        """The bytes from `start` up to `stop`."""


class Holes:
    """What of a remote file is there already.

    Args:
        descriptor: an empty file to fill.
        num_bytes: of the remote file.
        fetch: gives parts of it.
    """

    def __init__(self, descriptor: int, num_bytes: int, fetch: Fetch) -> None:
        self._descriptor = descriptor
        self._fetch = fetch
        self._there: list[Span] = []
        self.num_bytes = num_bytes
        self.num_fetched = 0
        os.ftruncate(descriptor, num_bytes)

    def fill(self, spans: Iterable[Span]) -> None:
        """Fetch what is not there yet.

        Raises:
            MediaError: the store does not give it, or there is no room for it.
            ValueError: a span is not within the file.
        """
        spans = list(spans)
        if not all(0 <= start <= stop <= self.num_bytes for start, stop in spans):
            raise ValueError("no such bytes")
        for start, stop in missing(joined(spans, MAX_GAP), self._there):
            for begin in range(start, stop, PIECE_BYTES):
                self._write(begin, self._fetch(begin, min(stop, begin + PIECE_BYTES)))
        self._there = joined([*self._there, *joined(spans, MAX_GAP)], 0)

    def fill_all(self) -> None:
        """Fetch all that is not there yet."""
        self.fill([(0, self.num_bytes)])

    def read(self, start: int, num_bytes: int) -> bytes:
        """Bytes of the file, fetched first where they are not there."""
        stop = min(start + num_bytes, self.num_bytes)
        self.fill([(start, stop)])
        return os.pread(self._descriptor, stop - start, start)

    def _write(self, offset: int, content: bytes) -> None:
        self.num_fetched += len(content)
        try:
            while content:
                num = os.pwrite(self._descriptor, content, offset)
                content, offset = content[num:], offset + num
        except OSError as error:
            message = f"no copy of it can be made: {error.strerror}"
            raise MediaError("internal", message) from error


def joined(spans: Iterable[Span], gap: int) -> list[Span]:
    """The spans in order, those that are no further apart than `gap` as one."""
    found: list[Span] = []
    for start, stop in sorted(spans):
        if found and start <= found[-1][1] + gap:
            found[-1] = found[-1][0], max(found[-1][1], stop)
        else:
            found.append((start, stop))
    return found


def missing(wanted: Iterable[Span], there: Sequence[Span]) -> Iterator[Span]:
    """The parts of spans that are not there; both in order, nothing twice in either."""
    for begin, stop in wanted:
        start = begin
        for first, last in there:
            if last <= start or first >= stop:
                continue
            if first > start:
                yield start, first
            start = last
        if start < stop:
            yield start, stop


def fetch_index(holes: Holes) -> bool:
    """Have all of an MP4 file be there but its media data, of which only the beginning.

    Returns:
        False where it is no MP4 file, or one whose index is spread over it (fragments).
    """
    offset, is_first = 0, True
    for _ in range(MAX_BOXES):
        if offset + 8 > holes.num_bytes:
            return True
        head = holes.read(offset, HEAD_BYTES if is_first else 16)
        size, kind = struct.unpack(">I4s", head[:8])
        if size == 1 and len(head) >= 16:
            size = struct.unpack(">Q", head[8:16])[0]
        stop = min(offset + size, holes.num_bytes) if size else holes.num_bytes
        if (is_first and kind not in _STARTS) or kind == b"moof" or stop < offset + 8:
            return False
        holes.fill([(offset, min(stop, offset + OPENING_BYTES) if kind == b"mdat" else stop)])
        offset, is_first = stop, False
    return False
