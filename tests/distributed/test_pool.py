"""Work is handed out, comes back into the table, and survives the death of actors."""

import itertools
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from hiera_cli.distributed.cluster import ActorPlan
from hiera_cli.distributed.pool import MAX_BARREN_DEATHS, MAX_DEATHS, Pool
from hiera_cli.errors import Failure, HieraError
from hiera_cli.inputs import InputPath
from tests.distributed.cluster import COLUMNS, SETTINGS, CountTask, FakeRay, count_table

NAMES = [f"{index:03d}" for index in range(100)]


def run(ray: FakeRay, out: Path, names: list[str], *, num_actors: int = 2) -> list[Any]:
    """All records of a pool's work; the table is finished."""
    table = count_table(out)
    pool = Pool(ray, CountTask(), ActorPlan(num_actors, 1.0, 0.0))
    records = list(pool.run([InputPath(name, name) for name in names], table))
    pool.close()
    table.finish()
    return records


def rows(out: Path) -> list[tuple[str, int]]:
    table = pq.read_table(out).to_pydict()
    return list(zip(table["path"], table["number"], strict=True))


def expected(names: list[str]) -> list[tuple[str, int]]:
    return list(itertools.product(names, range(3)))


@pytest.mark.parametrize("num_actors", [1, 3])
def test_every_video_once(tmp_path: Path, num_actors: int) -> None:
    ray, out = FakeRay(), tmp_path / "t.parquet"
    records = run(ray, out, NAMES, num_actors=num_actors)

    assert sorted(records) == NAMES
    assert rows(out) == expected(NAMES)
    assert len(ray.actors) == num_actors
    assert all(actor.was_killed for actor in ray.actors)


def test_failures_are_records(tmp_path: Path) -> None:
    out = tmp_path / "t.parquet"
    records = run(FakeRay(), out, ["a", "bad", "c"])

    assert Failure("bad", "corrupt", "it is bad") in records
    assert rows(out) == expected(["a", "c"])
    assert "it is bad" in Path(f"{out}.errors.jsonl").read_text()


def test_the_videos_of_a_dead_actor_are_given_to_another(tmp_path: Path) -> None:
    deaths = iter([False, False, True, False, False, True])
    ray, out = FakeRay(lambda names: next(deaths, False)), tmp_path / "t.parquet"
    records = run(ray, out, NAMES)

    assert sorted(records) == NAMES
    assert rows(out) == expected(NAMES)
    assert len(ray.actors) == 4


def test_a_video_that_kills_actors_is_given_up_and_its_company_is_not(tmp_path: Path) -> None:
    ray, out = FakeRay(lambda names: "042" in names), tmp_path / "t.parquet"
    records = run(ray, out, NAMES)

    failures = [record for record in records if isinstance(record, Failure)]
    assert [failure.path for failure in failures] == ["042"]
    assert failures[0].kind == "internal"
    assert rows(out) == expected([name for name in NAMES if name != "042"])
    assert len(ray.actors) == 2 + MAX_DEATHS


def test_actors_that_all_die_end_the_run(tmp_path: Path) -> None:
    ray = FakeRay(lambda names: True)
    many = [f"{index:05d}" for index in range(10_000)]
    with pytest.raises(HieraError, match="die one after the other: the actor died"):
        run(ray, tmp_path / "t.parquet", many, num_actors=1)
    assert len(ray.actors) <= 1 + MAX_BARREN_DEATHS


def test_no_actor_works_that_would_give_other_results() -> None:
    pool = Pool(FakeRay(), CountTask({"kind": "other"}), ActorPlan(1, 1.0, 0.0))
    assert pool.describe().columns == COLUMNS
    with pytest.raises(HieraError, match='kind was "test", now "other"'):
        pool.agree(SETTINGS)
