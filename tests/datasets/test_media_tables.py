"""Data sets in Parquet tables: labels by name, splits by file, and what cannot be understood."""

from pathlib import Path

import pytest

from hiera_cli.datasets.dataset import read_dataset, splits_of
from hiera_cli.errors import NoInputError, UsageError
from tests.media_tables import Row, write_media_table

NAMES = ("run", "sit", "jump")


def rows(count: int, start: int = 0) -> list[Row | None]:
    return [(f"{start + index}.mp4", b"content") for index in range(count)]


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    """As `push_to_hub` lays files out, with a table of features beside them."""
    data = tmp_path / "hub" / "data"
    write_media_table(data / "train-00000-of-00002.parquet", rows(2), names=NAMES, label=[1, 0])
    write_media_table(data / "train-00001-of-00002.parquet", rows(2), names=NAMES, label=[2, -1])
    write_media_table(data / "validation-0.parquet", rows(1), names=NAMES, label=[2])
    write_media_table(tmp_path / "hub" / "other.parquet", rows(1), kind="Audio")
    return tmp_path / "hub"


def test_class_labels_and_splits(hub: Path) -> None:
    assert splits_of(str(hub)) == ("train", "val")
    found = read_dataset(str(hub), split="train")
    assert [(s.name, s.label, s.split) for s in found.samples] == [
        ("data/train-00000-of-00002.parquet/0.mp4", "sit", "train"),
        ("data/train-00000-of-00002.parquet/1.mp4", "run", "train"),
        ("data/train-00001-of-00002.parquet/0.mp4", "jump", "train"),
    ]
    assert found.classes == NAMES  # in the order of their numbers
    assert found.warnings == ("rows without a label, left out: 1",)
    assert found.layout.startswith("2 Parquet tables in ")
    assert "column 'label'" in found.layout
    assert found.samples[0].path == f"{hub}/data/train-00000-of-00002.parquet/0.mp4"
    assert read_dataset(str(hub)).split == "val"
    with pytest.raises(UsageError, match="no split 'test'"):
        read_dataset(str(hub), split="test")


def test_the_folder_may_name_the_split(tmp_path: Path) -> None:
    for split in ("train", "test"):
        write_media_table(tmp_path / split / "0000.parquet", rows(1), names=NAMES, label=[0])
    assert splits_of(str(tmp_path)) == ("train", "test")
    assert read_dataset(str(tmp_path), split="test").samples[0].name == "test/0000.parquet/0.mp4"


def test_one_file_with_names_and_groups(tmp_path: Path) -> None:
    path = write_media_table(
        tmp_path / "x.parquet", rows(3), kind=None, action=["b", "a", "b"], day=[1, 1, 2]
    )
    found = read_dataset(str(path), group="day")
    assert [(s.name, s.label, s.group) for s in found.samples] == [
        ("0.mp4", "b", "1"),
        ("1.mp4", "a", "1"),
        ("2.mp4", "b", "2"),
    ]
    assert found.classes == ("a", "b")
    by_name = read_dataset(str(path), group="([0-2])")
    assert [s.group for s in by_name.samples] == ["0", "1", "2"]


def test_numbers_get_names_from_a_file(tmp_path: Path) -> None:
    path = write_media_table(tmp_path / "x.parquet", rows(2), label=[0, 2])
    assert read_dataset(str(path)).indexed
    (tmp_path / "names.txt").write_text("\n".join(NAMES))
    named = read_dataset(str(path), class_names=str(tmp_path / "names.txt"))
    assert [s.label for s in named.samples] == ["run", "jump"]


def test_several_classes_a_row(tmp_path: Path) -> None:
    path = write_media_table(tmp_path / "x.parquet", rows(3), names=NAMES, label=[[0, 2], [1], []])
    found = read_dataset(str(path), multi_label=True)
    assert [s.label for s in found.samples] == ["run;jump", "sit"]
    with pytest.raises(UsageError, match="several labels") as caught:
        read_dataset(str(path))
    assert "--multi-label" in caught.value.hint


def test_what_cannot_be_understood(tmp_path: Path) -> None:
    bare = write_media_table(tmp_path / "bare.parquet", rows(1), caption=["a dog"])
    with pytest.raises(UsageError, match="no column of labels among video, caption"):
        read_dataset(str(bare))
    sounds = write_media_table(tmp_path / "sounds.parquet", rows(1), kind="Audio", label=[0])
    with pytest.raises(UsageError, match="no column of videos"):
        read_dataset(str(sounds))
    empty = write_media_table(tmp_path / "empty.parquet", [("a.mp4", b"")], label=[None])
    with pytest.raises(NoInputError, match="nothing is listed"):
        read_dataset(str(empty))


def test_a_damaged_shard_is_never_passed_over(hub: Path) -> None:
    (hub / "data" / "train-00001-of-00002.parquet").write_bytes(b"cut short")
    with pytest.raises(UsageError, match="train-00001"):
        read_dataset(str(hub), split="train")


def test_at_a_url(hub: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    system = fsspec.filesystem("memory")
    system.put(str(hub), "/hub", recursive=True)
    try:
        assert splits_of("memory://hub") == ("train", "val")
        (sample,) = read_dataset("memory://hub").samples
        assert (sample.name, sample.label) == ("data/validation-0.parquet/0.mp4", "jump")
        one = read_dataset("memory://hub/data/validation-0.parquet")
        assert [s.name for s in one.samples] == ["0.mp4"]
    finally:
        system.rm("/hub", recursive=True)
