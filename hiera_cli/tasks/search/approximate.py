"""An approximate index of a table, for millions of clips: cells of vectors, a byte a number.

    TABLE.index/vectors.faiss   inverted lists with scalar quantisation (faiss)
    TABLE.index/made.json       which table it was made from

The index proposes candidates; their cosines are computed from the table, so scores are exact.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from hiera_cli.errors import UsageError
from hiera_cli.files import replacing_folder, write_text
from hiera_cli.tables import count_rows, table_files, take_rows
from hiera_cli.tasks.search.neighbours import Found, Neighbour, rank_clips
from hiera_cli.tasks.search.rows import Vectors, clip_rows, scan_rows, unit

VECTORS_A_CELL = 64  # to learn the cells from
CELLS_LOOKED_AT = 32
CANDIDATES_A_CLIP = 3  # eight bits a number hardly change the order


@dataclass(frozen=True, slots=True)
class IndexSource:
    """What an index was made from; another size or time of a file means another table.

    Attributes:
        files: name, bytes and modification time in nanoseconds of the table's files.
        centered: whether the mean feature was taken off.
    """

    files: list[list[Any]]
    centered: bool


def index_folder(table: Path) -> Path:
    """Where the index of a table is."""
    return table.with_name(table.name + ".index")


def open_index(table: Path, *, center: Vectors | None) -> Any:
    """The index of a table: read, or made where there is none of this table as it is now.

    Raises:
        UsageError: faiss is not installed, or a table without rows.
        OutputError: the index cannot be written.
    """
    if find_spec("faiss") is None:
        raise UsageError("--approximate needs faiss", hint="pip install 'hiera-cli[index]'")
    import faiss

    source, folder = _source_of(table, centered=center is not None), index_folder(table)
    made = folder / "made.json"
    if made.exists() and json.loads(made.read_text(encoding="utf-8")) == asdict(source):
        return faiss.read_index(str(folder / "vectors.faiss"))
    index = _make_index(table, center)
    with replacing_folder(folder) as part:
        faiss.write_index(index, str(part / "vectors.faiss"))
        write_text(part / "made.json", json.dumps(asdict(source)))
    return index


def _source_of(table: Path, *, centered: bool) -> IndexSource:
    stats = [(path, path.stat()) for path in table_files(table)]
    return IndexSource([[p.name, s.st_size, s.st_mtime_ns] for p, s in stats], centered)


def _make_index(table: Path, center: Vectors | None) -> Any:
    """Cells learnt from vectors spread over the table, then every vector in its cell."""
    import faiss

    num = count_rows(table)
    if not num:
        raise UsageError(f"{table} holds no clips")
    num_cells = max(1, min(round(4 * num**0.5), num // VECTORS_A_CELL))
    step = max(1, num // (VECTORS_A_CELL * num_cells))
    parts = [rows.vectors[-rows.first % step :: step] for rows in scan_rows(table, center=center)]
    sample = np.concatenate(parts)
    width = sample.shape[1]
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(width),
        width,
        num_cells,
        faiss.ScalarQuantizer.QT_8bit,
        faiss.METRIC_INNER_PRODUCT,
    )
    index.train(sample)
    for rows in scan_rows(table, center=center):
        index.add(rows.vectors)
    return index


def find_approximately(
    table: Path,
    query: Vectors,
    *,
    num: int,
    center: Vectors | None = None,
    leave_out: frozenset[int] = frozenset(),
) -> tuple[Neighbour, ...]:
    """As `find_neighbours`, by way of the index: a clip may be missed, its score is exact."""
    index = open_index(table, center=center)
    index.nprobe = min(index.nlist, CELLS_LOOKED_AT)
    wanted = min(index.ntotal, CANDIDATES_A_CLIP * (num + len(leave_out)))
    scores, rows = (part.ravel() for part in index.search(query, wanted))
    near = dict.fromkeys(rows[np.argsort(-scores, kind="stable")].tolist())
    candidates = [row for row in near if row >= 0 and row not in leave_out][:wanted]
    return rank_clips(_exact(table, sorted(candidates), query, center), num=num)


def _exact(
    table: Path, candidates: list[int], query: Vectors, center: Vectors | None
) -> Iterator[Found]:
    for index, batch in zip(candidates, take_rows(table, candidates), strict=True):
        vector = unit(batch["feature"], center)
        yield float((vector @ query.T).max()), index, clip_rows(batch)[0]
