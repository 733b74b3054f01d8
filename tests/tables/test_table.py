"""The table in the making: rows survive, order and values do not depend on how often it died."""

import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from hiera_cli.errors import Failure, OutputError, UsageError
from hiera_cli.tables import (
    Column,
    Table,
    begin_table,
    count_rows,
    lock_output,
    merge_tables,
    parse_output,
    read_metadata,
    read_rows,
)
from hiera_cli.tables.settings import differences

WIDTH = 4
COLUMNS = (
    Column("path", "string"),
    Column("clip_index", "int32"),
    Column("start_seconds", "float64"),
    Column("feature", "float32", WIDTH),
)
SETTINGS = {"model": "tiny", "protocol": {"name": "dense", "hop_seconds": 2.0}}


def rows_of(key: str, num_rows: int = 3) -> dict[str, object]:
    """Rows whose values follow from the key."""
    seed = zlib.crc32(key.encode())
    indices = np.arange(num_rows)
    feature = np.random.default_rng(seed).random((num_rows, WIDTH), np.float32)
    return {
        "path": [key] * num_rows,
        "clip_index": indices,
        "start_seconds": indices / 3,
        "feature": feature,
    }


def add(table: Table, keys: Iterable[str]) -> None:
    with table.writer() as writer:
        for key in keys:
            writer.append(rows_of(key))
            writer.commit(key)


def make(out: Path | str, keys: Iterable[str], **options: object) -> None:
    output = parse_output(out)
    with lock_output(output):
        table = begin_table(output, COLUMNS, **{"settings": SETTINGS, **options})
        add(table, [key for key in keys if key not in table.finished])
        table.finish()


def test_rows_come_back_sorted_with_their_types(tmp_path: Path) -> None:
    out = tmp_path / "feats.parquet"
    make(out, ["b.mp4", "a.mp4", "é.mp4", "Z.mp4"], roots=["/videos"])

    table = pq.read_table(out)

    assert table.column("path").to_pylist()[::3] == ["Z.mp4", "a.mp4", "b.mp4", "é.mp4"]
    assert table.column("clip_index").to_pylist() == [0, 1, 2] * 4
    assert str(table.schema.field("feature").type) == "fixed_size_list<element: float>[4]"
    assert str(table.schema.field("clip_index").type) == "int32"
    expected = np.concatenate([rows_of(k)["feature"] for k in ["Z.mp4", "a.mp4", "b.mp4", "é.mp4"]])
    assert np.array_equal(np.array(table.column("feature").to_pylist()), expected)
    assert not list(tmp_path.glob("*.partial"))
    metadata = read_metadata(out)
    assert metadata["model"] == "tiny"
    assert metadata["roots"] == ["/videos"]
    assert metadata["versions"]["pyarrow"]


def test_half_floats_come_back(tmp_path: Path) -> None:
    output = parse_output(tmp_path / "half.parquet")
    columns = (Column("path", "string"), Column("feature", "float16", 2))
    with lock_output(output):
        table = begin_table(output, columns, settings={})
        with table.writer() as writer:
            writer.append({"path": ["a"], "feature": np.array([[1 / 3, 2]])})
            writer.commit("a")
        table.finish()

    (rows,) = read_rows(output.path)

    assert rows["feature"].dtype == np.float16
    assert rows["feature"].tolist() == [[float(np.float16(1 / 3)), 2.0]]


def test_an_item_counts_once_it_is_committed(tmp_path: Path) -> None:
    output = parse_output(tmp_path / "feats.parquet")
    with lock_output(output):
        table = begin_table(output, COLUMNS, settings=SETTINGS)
        with table.writer() as writer:
            writer.append(rows_of("dropped"))
            writer.discard()
            writer.append(rows_of("kept"))
            writer.commit("kept")
            writer.append(rows_of("in flight"))

    with lock_output(output):
        table = begin_table(output, COLUMNS, settings=SETTINGS)
        assert table.finished == {"kept"}
        table.finish()
    assert pq.read_table(output.path).column("path").to_pylist() == ["kept"] * 3


def test_discarding_takes_back_blocks_that_are_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hiera_cli.tables.rows.BLOCK_BYTES", 1)
    output = parse_output(tmp_path / "feats.parquet")
    with lock_output(output):
        table = begin_table(output, COLUMNS, settings=SETTINGS)
        with table.writer() as writer:
            writer.append(rows_of("dropped"))
            writer.append(rows_of("dropped"))
            writer.fail(Failure("dropped", "corrupt", "bad bytes"))
            writer.append(rows_of("kept", 2))
            writer.append(rows_of("kept", 1))
            writer.commit("kept")
        table.finish()

    assert pq.read_table(output.path).column("path").to_pylist() == ["kept"] * 3
    (line,) = output.errors.read_text().splitlines()
    assert json.loads(line) == {"path": "dropped", "kind": "corrupt", "message": "bad bytes"}


def test_more_items_merge_into_a_finished_table(tmp_path: Path) -> None:
    whole, grown = tmp_path / "whole.parquet", tmp_path / "grown.parquet"
    make(whole, ["a", "b", "c", "d"])
    make(grown, ["d", "b"])
    make(grown, ["a", "b", "c"])

    assert whole.read_bytes() == grown.read_bytes()


def test_nothing_new_leaves_the_file_alone(tmp_path: Path) -> None:
    out = tmp_path / "feats.parquet"
    make(out, ["a"])
    before = out.stat()
    make(out, ["a"])

    assert out.stat().st_mtime_ns == before.st_mtime_ns
    assert [path.name for path in tmp_path.iterdir()] == ["feats.parquet"]


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    out = tmp_path / "feats.parquet"
    make(out, ["a"])
    other = {"model": "tiny", "protocol": {"name": "dense", "hop_seconds": 1.0}}

    with pytest.raises(UsageError, match=r"protocol\.hop_seconds was 2\.0, now 1\.0"):
        make(out, ["b"], settings=other)
    assert pq.read_table(out).column("path").to_pylist() == ["a"] * 3
    assert not out.with_name("feats.parquet.partial").exists()

    make(out, ["b"], settings=other, on_existing="overwrite")
    assert pq.read_table(out).column("path").to_pylist() == ["b"] * 3


def test_of_lists_only_the_difference_is_told() -> None:
    long = [f"score_{i}: float" for i in range(40)]
    assert differences({"columns": [*long, "a"]}, {"columns": [*long, "b", "c"]}) == [
        'columns was ["a"], now ["b", "c"]'
    ]
    assert differences({"mean": [1, 2]}, {"mean": [2, 1]}) == ["mean was [1, 2], now [2, 1]"]
    assert differences({"mean": [1, 2]}, {"mean": [1, 2]}) == []


def test_other_settings_are_refused_for_unfinished_work(tmp_path: Path) -> None:
    output = parse_output(tmp_path / "feats.parquet")
    with lock_output(output):
        add(begin_table(output, COLUMNS, settings=SETTINGS), ["a"])

    with pytest.raises(UsageError, match='model was "tiny", now "huge"'):
        make(output.path, ["b"], settings={**SETTINGS, "model": "huge"})
    make(output.path, ["b"])
    assert pq.read_table(output.path).column("path").to_pylist()[::3] == ["a", "b"]


def test_an_overwriting_run_can_be_resumed(tmp_path: Path) -> None:
    out = tmp_path / "feats.parquet"
    make(out, ["old"])
    output = parse_output(out)
    with lock_output(output):
        add(begin_table(output, COLUMNS, settings={"model": "b"}, on_existing="overwrite"), ["new"])
    assert pq.read_table(out).column("path").to_pylist() == ["old"] * 3

    make(out, ["newer"], settings={"model": "b"})
    assert pq.read_table(out).column("path").to_pylist()[::3] == ["new", "newer"]


def test_existing_output_may_be_refused(tmp_path: Path) -> None:
    out = tmp_path / "feats.parquet"
    make(out, ["a"], on_existing="error")
    with pytest.raises(UsageError, match="exists already"):
        make(out, ["b"], on_existing="error")


def test_files_of_others_are_never_replaced(tmp_path: Path) -> None:
    video = tmp_path / "film.mp4"
    video.write_bytes(b"not a table")
    for on_existing in ("resume", "overwrite"):
        with pytest.raises(UsageError, match="not a readable Parquet file"):
            make(video, ["a"], on_existing=on_existing)
    assert video.read_bytes() == b"not a table"


def test_shards_hold_the_rows_asked_for(tmp_path: Path) -> None:
    (tmp_path / "feats").mkdir()
    (tmp_path / "feats" / "notes.txt").write_text("mine")
    make(f"{tmp_path}/feats/", "abcd", rows_per_shard=5)
    make(f"{tmp_path}/feats/", "ABCD", rows_per_shard=7)

    shards = sorted((tmp_path / "feats").glob("*.parquet"))

    assert [shard.name[:19] for shard in shards] == [
        f"part-0000{i}-of-00004"[:19] for i in range(4)
    ]
    assert [count_rows(shard) for shard in shards] == [7, 7, 7, 3]
    paths = [p for rows in read_rows(tmp_path / "feats", columns=["path"]) for p in rows["path"]]
    assert paths[::3] == list("ABCDabcd")
    assert sorted(p.name for p in (tmp_path / "feats").iterdir())[0] == "notes.txt"


def test_row_groups_do_not_depend_on_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hiera_cli.tables.shards.ROW_GROUP_BYTES", 700)
    out = tmp_path / "feats.parquet"
    make(out, "abcdefg")

    groups = pq.ParquetFile(out).metadata

    assert [groups.row_group(i).num_rows for i in range(groups.num_row_groups)] == [7, 7, 7]


def test_a_half_published_folder_is_completed(tmp_path: Path) -> None:
    make(f"{tmp_path}/feats/", "abcd", rows_per_shard=5)
    reference = [shard.read_bytes() for shard in sorted((tmp_path / "feats").glob("*.parquet"))]
    output = parse_output(f"{tmp_path}/feats/")
    (output.partial / "ready-00003").mkdir(parents=True)
    output.settings.write_text("{}")
    for index in (1, 2):
        (output.path / f"part-0000{index}-of-00003.parquet").rename(
            output.partial / "ready-00003" / f"0000{index}.parquet"
        )

    make(f"{tmp_path}/feats/", "abcd", rows_per_shard=5)

    shards = sorted((tmp_path / "feats").glob("*.parquet"))
    assert [shard.read_bytes() for shard in shards] == reference
    assert not output.partial.exists()


def test_failures_vanish_once_the_item_works(tmp_path: Path) -> None:
    output = parse_output(tmp_path / "feats.parquet")
    with lock_output(output):
        table = begin_table(output, COLUMNS, settings=SETTINGS)
        with table.writer() as writer:
            writer.fail(Failure("z\n", "corrupt", "first"))
            writer.fail(Failure("a", "timeout", "slow"))
        table.finish()
    with lock_output(output):
        table = begin_table(output, COLUMNS, settings=SETTINGS)
        assert table.failures["a"] == Failure("a", "timeout", "slow")
        assert table.finished == frozenset()
        add(table, ["a"])
        table.finish()

    assert [json.loads(line)["path"] for line in output.errors.read_text().splitlines()] == ["z\n"]


def test_nothing_but_failures_leaves_no_table(tmp_path: Path) -> None:
    output = parse_output(tmp_path / "feats.parquet")
    with lock_output(output):
        table = begin_table(output, COLUMNS, settings=SETTINGS)
        with table.writer() as writer:
            writer.fail(Failure("a", "corrupt", "bad"))
        table.finish()
    assert [path.name for path in tmp_path.iterdir()] == ["feats.parquet.errors.jsonl"]
    make(tmp_path / "empty.parquet", [])
    assert count_rows(tmp_path / "empty.parquet") == 0


def test_a_torn_line_is_no_line(tmp_path: Path) -> None:
    output = parse_output(tmp_path / "feats.parquet")
    with lock_output(output):
        add(begin_table(output, COLUMNS, settings=SETTINGS), ["a", "b"])
    lines = output.partial / "rows-0000.jsonl"
    lines.write_bytes(lines.read_bytes()[:-5])

    with lock_output(output):
        assert begin_table(output, COLUMNS, settings=SETTINGS).finished == {"a"}


def test_a_second_run_is_refused(tmp_path: Path) -> None:
    output = parse_output(tmp_path / "feats.parquet")
    with lock_output(output):
        add(begin_table(output, COLUMNS, settings=SETTINGS), ["a"])
        child = multiprocessing.get_context("spawn").Process(target=_expect_lock, args=(output,))
        child.start()
        child.join()
    assert child.exitcode == 0
    make(output.path, ["b"])
    assert count_rows(output.path) == 6


def _expect_lock(output: object) -> None:
    with pytest.raises(OutputError, match="being written by another run"), lock_output(output):
        pass


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="Not a directory"):
        make(tmp_path / "file" / "feats.parquet", ["a"])


def test_a_folder_removed_meanwhile_is_noticed(tmp_path: Path) -> None:
    output = parse_output(tmp_path / "sub" / "feats.parquet")
    with lock_output(output):
        table = begin_table(output, COLUMNS, settings=SETTINGS)
        with table.writer() as writer:
            for path in output.partial.iterdir():
                path.unlink()
            writer.append(rows_of("a"))
            with pytest.raises(OutputError, match="No such file"):
                writer.commit("a")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterable[Path]:
    """A file system of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True
    )
    if made.returncode:
        pytest.skip("may not mount a tmpfs here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("name", ["feats.parquet", "feats/"])
def test_a_full_disk_keeps_finished_work(small_disk: Path, name: str) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(900 * 1024))
    keys = [f"{i:05d}" for i in range(2000)]
    with pytest.raises(OutputError, match="No space left") as caught:
        make(f"{small_disk}/{name}", keys)
    assert "finished work is kept" in caught.value.hint

    ballast.unlink()
    output = parse_output(f"{small_disk}/{name}")
    with lock_output(output):
        table = begin_table(output, COLUMNS, settings=SETTINGS)
        assert 0 < len(table.finished) < len(keys)
        assert set(table.finished) == set(keys[: len(table.finished)])
        table.finish()
    assert count_rows(output.path) == 3 * len(table.finished)


def test_a_disk_that_fills_while_assembling(small_disk: Path) -> None:
    keys = [f"{i:05d}" for i in range(400)]
    output = parse_output(small_disk / "feats.parquet")
    with lock_output(output):
        add(begin_table(output, COLUMNS, settings=SETTINGS), keys)
    free = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
    (small_disk / "ballast").write_bytes(bytes(free - 12 * 1024))

    with pytest.raises(OutputError, match="No space left"):
        make(output.path, keys)
    (small_disk / "ballast").unlink()
    make(output.path, keys)
    assert count_rows(output.path) == 1200


def test_merged_parts_equal_the_whole(tmp_path: Path) -> None:
    make(tmp_path / "whole.parquet", "abcdef", roots=["/x", "/y"])
    make(tmp_path / "one.parquet", "ace", roots=["/y"])
    make(f"{tmp_path}/two/", "bdf", roots=["/x"], rows_per_shard=2)

    num_rows = merge_tables(
        [f"{tmp_path}/two", f"{tmp_path}/one.parquet"], tmp_path / "merged.parquet"
    )

    assert num_rows == 18
    merged = (tmp_path / "merged.parquet").read_bytes()
    assert merged == (tmp_path / "whole.parquet").read_bytes()
    with pytest.raises(UsageError, match="exists already"):
        merge_tables([f"{tmp_path}/one.parquet"], tmp_path / "merged.parquet")


def test_parts_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    make(tmp_path / "one.parquet", "ab")
    make(tmp_path / "two.parquet", "bc")
    make(tmp_path / "three.parquet", "d", settings={**SETTINGS, "model": "other"})

    with pytest.raises(UsageError, match=r"'b' is in .*one\.parquet and in .*two\.parquet"):
        merge_tables([f"{tmp_path}/one.parquet", f"{tmp_path}/two.parquet"], tmp_path / "m.parquet")
    with pytest.raises(UsageError, match='model was "tiny", now "other"'):
        merge_tables(
            [f"{tmp_path}/one.parquet", f"{tmp_path}/three.parquet"], tmp_path / "m.parquet"
        )
    with pytest.raises(UsageError, match="no table at"):
        merge_tables([f"{tmp_path}/none.parquet"], tmp_path / "m.parquet")
    assert not (tmp_path / "m.parquet").exists()
    assert not (tmp_path / "m.parquet.partial").exists()


KILLED = textwrap.dedent("""
    import sys
    from tests.tables.test_table import make
    print("go", flush=True)
    make(sys.argv[1], [f"{i:04d}" for i in range(int(sys.argv[2]))], rows_per_shard=ROWS)
""")


@pytest.mark.parametrize(("name", "rows_per_shard"), [("feats.parquet", None), ("feats/", 500)])
def test_sigkill_at_any_moment_changes_nothing(
    tmp_path: Path, name: str, rows_per_shard: int | None
) -> None:
    """Killed at random until it survives: the bytes equal those of an uninterrupted run."""
    num_items, moments = 400, random.Random(0)
    script = KILLED.replace("ROWS", str(rows_per_shard))
    make(
        f"{tmp_path}/whole/{name}",
        map("{:04d}".format, range(num_items)),
        rows_per_shard=rows_per_shard,
    )
    kills = 0
    while True:
        process = subprocess.Popen(
            [sys.executable, "-c", script, f"{tmp_path}/killed/{name}", str(num_items)],
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(moments.uniform(0, 0.15))
        process.send_signal(signal.SIGKILL)
        process.stdout.close()
        if process.wait() == 0:
            break
        kills += 1
        if kills == 5:
            make(
                f"{tmp_path}/killed/{name}",
                map("{:04d}".format, range(num_items)),
                rows_per_shard=rows_per_shard,
            )
            break

    assert kills >= 2
    whole = {p.name: p.read_bytes() for p in (tmp_path / "whole").rglob("*") if p.is_file()}
    killed = {p.name: p.read_bytes() for p in (tmp_path / "killed").rglob("*") if p.is_file()}
    assert whole == killed
