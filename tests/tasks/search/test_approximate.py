"""The approximate index against exact search."""

import json
from pathlib import Path

import numpy as np
import pytest

from hiera_cli.tasks.search.approximate import find_approximately, index_folder
from hiera_cli.tasks.search.neighbours import find_neighbours
from hiera_cli.tasks.search.rows import row_at, table_mean, unit
from tests.tasks.search.tables import write_vectors

faiss = pytest.importorskip("faiss")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    centers = rng.standard_normal((20, 16))
    vectors = centers[rng.integers(20, size=3000)] + 0.3 * rng.standard_normal((3000, 16))
    return write_vectors(tmp_path / "t.parquet", vectors.astype(np.float32))


def test_it_finds_what_exact_search_finds(table: Path) -> None:
    for row, center in ((0, None), (1234, table_mean(table))):
        query, without = unit(row_at(table, row)[1], center), frozenset({row})
        exact = find_neighbours(table, query, num=10, center=center, leave_out=without)
        found = find_approximately(table, query, num=10, center=center, leave_out=without)
        assert found[0] == exact[0]
        assert len({c.clip_index for c in found} & {c.clip_index for c in exact}) >= 9


def test_the_index_is_made_again_for_another_table(table: Path) -> None:
    query = unit(row_at(table, 0)[1])
    find_approximately(table, query, num=1)
    made = index_folder(table) / "made.json"
    first, when = json.loads(made.read_text()), made.stat().st_mtime_ns
    find_approximately(table, query, num=1)
    assert made.stat().st_mtime_ns == when
    write_vectors(table, np.eye(16, dtype=np.float32))
    (found,) = find_approximately(table, query[:, :16], num=1)
    assert found.clip_index < 16
    assert json.loads(made.read_text()) != first
