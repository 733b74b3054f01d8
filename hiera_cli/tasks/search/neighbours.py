"""The clips of a table that are most like some vectors: exact cosine, in bounded memory."""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hiera_cli.tasks.search.rows import ClipRow, Vectors, scan_rows

Found = tuple[float, int, ClipRow]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A clip that was found.

    Attributes:
        rank: from 1, the most similar first.
        path, clip_index, start_seconds, end_seconds: the clip.
        score: cosine with the nearest of the query's vectors.
    """

    rank: int
    path: str
    clip_index: int
    start_seconds: float
    end_seconds: float
    score: float


def find_neighbours(
    table: Path,
    query: Vectors,
    *,
    num: int,
    center: Vectors | None = None,
    leave_out: frozenset[int] = frozenset(),
) -> tuple[Neighbour, ...]:
    """The clips of a table most like a query.

    Args:
        table: a .parquet file or a folder of shards.
        query: (Q, D) of length one; a clip counts by the nearest of them.
        num: how many clips.
        center: taken off every feature first, as it was off the query.
        leave_out: rows that are not looked at.
    """
    found = _scan(table, query, num=num, center=center, leave_out=leave_out)
    return rank_clips(found, num=num)


def rank_clips(found: Iterable[Found], *, num: int) -> tuple[Neighbour, ...]:
    """The most similar of (cosine, row, clip); of equal ones the first in the table."""
    ordered = heapq.nlargest(num, found, key=lambda item: (item[0], -item[1]))
    return tuple(
        Neighbour(rank, c.path, c.clip_index, c.start_seconds, c.end_seconds, score)
        for rank, (score, _, c) in enumerate(ordered, start=1)
    )


def _scan(
    table: Path, query: Vectors, *, num: int, center: Vectors | None, leave_out: frozenset[int]
) -> Iterator[Found]:
    """The best of each part of the table."""
    for rows in scan_rows(table, center=center):
        scores = (rows.vectors @ query.T).max(axis=1)
        for offset in np.argsort(-scores, kind="stable")[: num + len(leave_out)]:
            index = rows.first + int(offset)
            if index not in leave_out:
                yield float(scores[offset]), index, rows.clips[offset]
