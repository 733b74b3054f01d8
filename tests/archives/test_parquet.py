"""Parquet tables of videos: what rows are called, and that reading them takes what it must."""

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hiera_cli.archives import in_reading_order, media_table, read_member
from hiera_cli.archives.parquet import MediaTable
from hiera_cli.errors import MediaError, UsageError
from hiera_cli.inputs import IMAGE_SUFFIXES, expand_inputs
from tests.media_tables import Row, write_media_table

ROWS: list[Row | None] = [("b.mp4", b"second"), ("x/a.webm", b"first"), None, ("c", b"third")]


def names(path: Path, **options: frozenset[str]) -> list[str]:
    return [found.name for found in expand_inputs([str(path)], **options)]


def test_rows_are_called_by_their_paths_in_their_order(tmp_path: Path) -> None:
    path = write_media_table(tmp_path / "t.parquet", ROWS)
    assert names(path) == ["b.mp4", "x/a.webm", "c.mp4"]
    assert [read_member(f"{path}/{name}") for name in names(path)] == [
        b"second",
        b"first",
        b"third",
    ]
    assert [f.path for f in expand_inputs([f"{path}/x"])] == [f"{path}/x/a.webm"]


@pytest.mark.parametrize("odd", [None, "b.mp4", "", "/data/x/b.mp4", ".hidden/b.mp4"])
def test_rows_without_a_name_of_their_own_are_numbered(tmp_path: Path, odd: str | None) -> None:
    path = write_media_table(tmp_path / "t.parquet", [("b.mp4", b"0"), None, (odd, b"2")])
    assert names(path) == ["0000.mp4", "0002.mp4"]
    assert read_member(f"{path}/0002.mp4") == b"2"


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("/home/me/.cache/a.mp4", "a.mp4"),
        ("https://host/x//a.mp4", "a.mp4"),
        ("..\\..\\a.mp4", "a.mp4"),
        ("run/a.mp4", "run/a.mp4"),
    ],
)
def test_paths_of_other_machines(tmp_path: Path, told: str, name: str) -> None:
    assert names(write_media_table(tmp_path / "t.parquet", [(told, b"")])) == [name]


def test_pictures_and_tables_of_unknown_make(tmp_path: Path) -> None:
    pictures = write_media_table(tmp_path / "i.parquet", [(None, b"picture")], kind="Image")
    assert names(pictures, suffixes=IMAGE_SUFFIXES) == ["0000.png"]
    assert names(write_media_table(tmp_path / "u.parquet", [(None, b"")], kind=None)) == [
        "0000.mp4"
    ]
    sounds = write_media_table(tmp_path / "a.parquet", [(None, b"sound")], kind="Audio")
    assert media_table(str(sounds)) is None
    assert [f.path for f in expand_inputs([str(sounds)])] == [str(sounds)]  # an input that fails


def test_a_row_without_content_opens_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "secret.mp4").write_bytes(b"secret")
    path = write_media_table(tmp_path / "t.parquet", [(str(tmp_path / "secret.mp4"), None)])
    with pytest.raises(MediaError, match="only the name") as caught:
        read_member(f"{path}/secret.mp4")
    assert caught.value.kind == "not_found"
    with pytest.raises(MediaError, match="no such file"):
        read_member(f"{path}/other.mp4")


def test_what_is_damaged_is_said(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1 but not really PAR1")
    with pytest.raises(UsageError, match="cannot read the archive"):
        media_table(str(tmp_path / "t.parquet"))
    path = write_media_table(tmp_path / "u.parquet", [("a.mp4", random.Random(0).randbytes(5000))])
    content = path.read_bytes()
    path.write_bytes(content[:20] + b"\xff" * 200 + content[220:])
    with pytest.raises(MediaError) as caught:
        read_member(f"{path}/a.mp4")
    assert caught.value.kind == "corrupt"


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hiera_cli.archives.parquet.MAX_MEMBER_BYTES", 1000)
    path = write_media_table(tmp_path / "t.parquet", [("a.mp4", b"\0" * 100_000)])
    with pytest.raises(MediaError, match="100,0") as caught:
        read_member(f"{path}/a.mp4")
    assert caught.value.kind == "too_large"


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The row groups that are begun."""
    groups: list[int] = []
    real = pq.ParquetFile.iter_batches

    def iter_batches(self: pq.ParquetFile, size: int, chosen: list[int], *rest, **named):
        groups.extend(chosen)
        return real(self, size, chosen, *rest, **named)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", iter_batches)
    return groups


def test_rows_read_side_by_side_take_one_pass(tmp_path: Path, begun: list[int]) -> None:
    rows: list[Row | None] = [(f"{9 - i}.mp4", bytes([i]) * 100) for i in range(10)]
    path = write_media_table(tmp_path / "t.parquet", rows, group_size=5)
    wanted = in_reading_order([f"{path}/{i}.mp4" for i in range(10)], str)
    assert wanted == [f"{path}/{9 - i}.mp4" for i in range(10)]
    found: dict[str, bytes] = {}
    hurry = [wanted[i] for i in (1, 0, 3, 2, 4, 6, 5, 9, 8, 7)]
    threads = [
        threading.Thread(target=lambda own=own: found.update((p, read_member(p)) for p in own))
        for own in (hurry[::2], hurry[1::2])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {path: bytes([i]) * 100 for i, path in enumerate(wanted)}
    assert set(begun) == {0, 1}
    begun.clear()
    for path_ in hurry:  # in this thread the order is known
        read_member(path_)
    assert begun == [0, 1]


def test_what_was_passed_is_kept_within_bounds(
    tmp_path: Path, begun: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hiera_cli.archives.parquet.MAX_KEPT_BYTES", 250)
    path = write_media_table(tmp_path / "t.parquet", [(f"{i}.mp4", b"x" * 100) for i in range(6)])
    table = MediaTable(str(path))
    for name in ("5.mp4", "4.mp4", "3.mp4"):
        with table.open(name) as content:
            assert content.read(1000) == b"x" * 100
    assert begun == [0]
    with table.open("2.mp4"):
        pass
    assert begun == [0, 0]  # too long ago


def test_after_an_error_reading_begins_again(tmp_path: Path) -> None:
    path = write_media_table(tmp_path / "t.parquet", [(f"{i}.mp4", bytes([i])) for i in range(4)])
    table = MediaTable(str(path))

    def broken() -> Iterator[tuple[int, pa.Buffer]]:
        raise pa.ArrowInvalid("cut short")
        yield

    with table.open("0.mp4"):
        table._reader = broken()
    with pytest.raises(MediaError, match="cut short"), table.open("1.mp4"):
        pass
    with table.open("1.mp4") as content:
        assert content.read(10) == b"\1"


def test_a_folder_without_videos_is_searched_for_archives(tmp_path: Path) -> None:
    write_media_table(tmp_path / "data" / "train-0.parquet", ROWS)
    write_media_table(tmp_path / "data" / "other.parquet", [], kind="Audio")
    assert names(tmp_path) == [f"data/train-0.parquet/{n}" for n in ("b.mp4", "x/a.webm", "c.mp4")]
    (tmp_path / "z.mp4").touch()
    assert names(tmp_path) == ["z.mp4"]
