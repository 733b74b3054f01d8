"""The clips of a table that are most like some vectors: exact cosine, in bounded memory."""

import heapq
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hiera_cli.tasks.search.rows import ClipRow, Vectors, scan_rows


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
    best: list[tuple[float, int, ClipRow]] = []
    for rows in scan_rows(table, center=center):
        scores = (rows.vectors @ query.T).max(axis=1)
        for offset in np.argsort(-scores, kind="stable")[: num + len(leave_out)]:
            index = rows.first + int(offset)
            if index in leave_out:
                continue
            item = (float(scores[offset]), -index, rows.clips[offset])
            if len(best) < num:
                heapq.heappush(best, item)
            elif item[:2] > best[0][:2]:
                heapq.heapreplace(best, item)
    ordered = sorted(best, key=lambda item: (-item[0], -item[1]))
    return tuple(
        Neighbour(rank, c.path, c.clip_index, c.start_seconds, c.end_seconds, score)
        for rank, (score, _, c) in enumerate(ordered, start=1)
    )
