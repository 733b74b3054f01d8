"""Outputs in a store: the table of a disk, and what was saved when a run is killed."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hiera_cli.errors import Failure, OutputError, UsageError
from hiera_cli.remote import Store
from hiera_cli.tables import Column, begin_table, lock_output, merge_tables, parse_output
from hiera_cli.tables import stored as home
from hiera_cli.tables.stored import fetched, local_table, stored
from hiera_cli.tables.table import Table

fsspec = pytest.importorskip("fsspec")

COLUMNS = (Column("path", "string"), Column("number", "int32"))
SETTINGS = {"kind": "test"}


class KilledError(BaseException):
    """As if the process were gone."""


@pytest.fixture
def store() -> Iterator[str]:
    yield "memory://bucket/deep"
    system = fsspec.filesystem("memory")
    if system.exists("/bucket"):
        system.rm("/bucket", recursive=True)


def names() -> list[str]:
    return sorted(name.removeprefix("/bucket/deep/") for name in _system().find("/bucket"))


def _system():
    return fsspec.filesystem("memory")


def add(table: Table, *keys: str) -> None:
    with table.writer() as writer:
        for key in keys:
            writer.append({"path": [key] * 3, "number": [1, 2, 3]})
            writer.commit(key)


def run(url: str, *keys: str, killed: bool = False, **options) -> list[str]:
    """A run that adds keys; the keys that it found finished."""
    with stored(url) as path:
        output = parse_output(f"{path}/" if url.endswith("/") else path)
        with lock_output(output):
            table = begin_table(output, COLUMNS, **{"settings": SETTINGS, **options})
            add(table, *keys)
            if killed:
                raise KilledError
            table.finish()
    return sorted(table.finished)


def keys_at(url: str) -> list[str]:
    with local_table(url) as path:
        files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
        return [key for file in files for key in pq.read_table(file)["path"].to_pylist()[::3]]


@pytest.mark.parametrize("name", ["t.parquet", "folder/"])
def test_a_table_goes_on(store: str, name: str) -> None:
    url = f"{store}/{name}"
    assert run(url, "b", "d") == []
    assert run(url, "a", "c") == ["b", "d"]
    assert keys_at(url) == ["a", "b", "c", "d"]
    files = {"t.parquet": ["t.parquet"], "folder/": ["folder/part-00000-of-00001.parquet"]}
    assert names() == files[name]  # nothing of the work is left


def test_fewer_shards_replace_more(store: str) -> None:
    url = f"{store}/folder/"
    run(url, "a", "b", "c", rows_per_shard=3)
    assert len(names()) == 3
    run(url, "d", rows_per_shard=6)
    assert names() == [f"folder/part-0000{index}-of-00002.parquet" for index in range(2)]
    assert keys_at(url) == ["a", "b", "c", "d"]


def test_a_killed_run_is_gone_on_with(store: str) -> None:
    url = f"{store}/t.parquet"
    for keys in (("b",), ("a", "c"), ()):
        with pytest.raises(KilledError):
            run(url, *keys, killed=True)
    assert all(name.startswith("t.parquet.work/") for name in names())
    assert run(url, "d") == ["a", "b", "c"]
    assert keys_at(url) == ["a", "b", "c", "d"]
    assert names() == ["t.parquet"]


def test_what_was_saved_on_the_way_counts_though_nothing_was_at_the_end(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"{store}/t.parquet"

    def lost() -> None:
        with stored(url) as path, lock_output(parse_output(path)):
            table = begin_table(parse_output(path), COLUMNS, settings=SETTINGS)
            with table.writer() as writer:
                for key in "abc":
                    writer.append({"path": [key] * 3, "number": [1, 2, 3]})
                    writer.commit(key)
                    if key != "c":
                        STAGES[-1].try_to_save()
                monkeypatch.setattr(home.Stage, "try_to_save", lambda self: None)
                raise KilledError

    with pytest.raises(KilledError):
        lost()
    assert run(url) == ["a", "b"]


STAGES: list[home.Stage] = []


@pytest.fixture(autouse=True)
def _watch_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    STAGES.clear()
    real = home.Stage.fetch

    def fetch(self: home.Stage, **options) -> None:
        STAGES.append(self)
        real(self, **options)

    monkeypatch.setattr(home.Stage, "fetch", fetch)


def test_killed_while_it_is_put_into_place(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"{store}/folder/"
    run(url, "a", "b", "c", rows_per_shard=3)
    real, copies = Store.copy, []

    def copy(self: Store, name: str, other: str) -> None:
        copies.append(name)
        if len(copies) > 1:
            raise KilledError
        real(self, name, other)

    monkeypatch.setattr(Store, "copy", copy)
    with pytest.raises(KilledError):
        run(url, "0", rows_per_shard=6)
    monkeypatch.setattr(Store, "copy", real)
    assert run(url) == ["0", "a", "b", "c"]
    assert keys_at(url) == ["0", "a", "b", "c"]
    assert len(names()) == 2


def test_overwriting_forgets_what_was_saved(store: str) -> None:
    url = f"{store}/t.parquet"
    for keys, options in ((("a",), {}), (("b",), {"on_existing": "overwrite"})):
        with pytest.raises(KilledError):
            run(url, *keys, killed=True, **options)
    assert run(url, "c") == ["b"]


def test_failures_are_kept(store: str) -> None:
    url = f"{store}/t.parquet"
    for killed in (True, False):
        with suppress_kill(), stored(url) as path, lock_output(parse_output(path)):
            table = begin_table(parse_output(path), COLUMNS, settings=SETTINGS)
            if killed:
                add(table, "a")
                with table.writer() as writer:
                    writer.fail(Failure("x", "corrupt", "it is bad"))
                raise KilledError
            assert list(table.failures) == ["x"]
            table.finish()
    assert names() == ["t.parquet", "t.parquet.errors.jsonl"]
    with fetched(url) as path:
        assert "it is bad" in Path(f"{path}.errors.jsonl").read_text()


class suppress_kill:
    def __enter__(self) -> None: ...

    def __exit__(self, kind, error, trace) -> bool:
        return kind is KilledError


def test_other_settings_are_refused(store: str) -> None:
    url = f"{store}/t.parquet"
    run(url, "a")
    with pytest.raises(UsageError, match="other settings"):
        run(url, settings={"kind": "other"})
    assert keys_at(url) == ["a"]


def test_one_run_at_a_time_on_a_machine(store: str) -> None:
    with stored(f"{store}/t.parquet"), pytest.raises(OutputError, match="another run"):
        run(f"{store}/t.parquet", "a")


def test_a_store_that_fails_says_so_and_keeps_the_work(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"{store}/t.parquet"

    def put(self: Store, path: Path, name: str) -> None:
        raise home.MediaError("internal", "no quota")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "put", put)
        with pytest.raises(OutputError, match="no quota") as caught:
            run(url, "a")
    assert "same command" in caught.value.hint


def test_tables_in_stores_are_merged(store: str) -> None:
    run(f"{store}/parts/one.parquet", "b")
    run(f"{store}/parts/two.parquet", "a")
    assert merge_tables([f"{store}/parts/"], f"{store}/all.parquet") == 6
    assert keys_at(f"{store}/all.parquet") == ["a", "b"]
    with pytest.raises(UsageError, match="exists already"):
        merge_tables([f"{store}/parts/"], f"{store}/all.parquet")
