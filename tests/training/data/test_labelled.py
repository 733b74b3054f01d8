import zipfile
from pathlib import Path

import pytest

from hiera_cli.errors import UsageError
from hiera_cli.training.data.labelled import read_labelled, with_fewer_labels


def touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return root


def test_splits_give_training_and_validation(tmp_path: Path) -> None:
    root = touch(
        tmp_path, "train/b/1.mp4", "train/pan_left/2.mp4", "val/b/3.mp4", "val/Pan left/4.mp4"
    )
    data = read_labelled(str(root), annotations=None, val=None, known=())
    assert data.classes == ("b", "pan_left")
    assert [v.target for v in data.training] == [0, 1]
    assert sorted(v.target for v in data.validation) == [0, 1]


def test_one_folder_is_training_alone(tmp_path: Path) -> None:
    root = touch(tmp_path, "a/1.mp4", "b/2.mp4")
    data = read_labelled(str(root), annotations=None, val=None, known=())
    assert len(data.training) == 2
    assert data.validation == ()


def test_known_classes_keep_their_order(tmp_path: Path) -> None:
    root = touch(tmp_path, "a/1.mp4", "b_c/2.mp4")
    same = read_labelled(str(root), annotations=None, val=None, known=("B c", "a"))
    assert same.classes == ("B c", "a")
    assert {Path(v.path).name: v.target for v in same.training} == {"1.mp4": 1, "2.mp4": 0}
    other = read_labelled(str(root), annotations=None, val=None, known=("b c", "a", "z"))
    assert other.classes == ("a", "b_c")


def test_validation_classes_must_be_known(tmp_path: Path) -> None:
    train = touch(tmp_path / "t", "a/1.mp4", "b/2.mp4")
    val = touch(tmp_path / "v", "a/1.mp4", "zebra/2.mp4")
    with pytest.raises(UsageError, match="no training video shows zebra"):
        read_labelled(str(train), annotations=None, val=str(val), known=())


def test_missing_files_are_left_out_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    touch(tmp_path, "x.mp4")
    (tmp_path / "list.txt").write_text("x.mp4 0\ngone.mp4 1\n")
    data = read_labelled(str(tmp_path / "list.txt"), annotations=None, val=None, known=())
    assert len(data.training) == 1
    assert "1 of 2 videos are missing" in caplog.text


def test_an_archive_of_pictures(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "pets.zip", "w") as file:
        for name in ("train/cat/1.jpg", "train/dog/2.jpg", "test/cat/3.jpg"):
            file.writestr(f"pets/{name}", b"")
    data = read_labelled(str(tmp_path / "pets.zip"), annotations=None, val=None, known=())
    assert data.classes == ("cat", "dog")
    assert [(v.path, v.target) for v in data.training] == [
        (f"{tmp_path}/pets.zip/pets/train/cat/1.jpg", 0),
        (f"{tmp_path}/pets.zip/pets/train/dog/2.jpg", 1),
    ]
    assert data.validation == ()


def test_the_training_split_is_learnt_from_whatever_is_validated_on(tmp_path: Path) -> None:
    root = touch(tmp_path, "train/a/1.mp4", "train/b/2.mp4", "val/a/3.mp4", "val/b/4.mp4")
    data = read_labelled(str(root), annotations=None, val=str(root / "val"), known=())
    assert [Path(v.path).name for v in data.training] == ["1.mp4", "2.mp4"]
    assert [Path(v.path).name for v in data.validation] == ["3.mp4", "4.mp4"]


def test_few_labels_and_a_part_held_out(tmp_path: Path) -> None:
    root = touch(tmp_path, *(f"{name}/{number}.mp4" for name in "ab" for number in range(20)))
    data = read_labelled(str(root), annotations=None, val=None, known=())
    few = [with_fewer_labels(data, hold_out=5, per_class=3, seed=s) for s in (0, 0, 1)]
    assert [len(f.training) for f in few] == [6] * 3
    assert [v.target for v in few[0].training] == [0] * 3 + [1] * 3
    assert few[0] == few[1]
    assert few[0].training != few[2].training
    assert few[0].validation == few[2].validation
    assert len(few[0].validation) == 10
    assert not {*few[0].training, *few[2].training} & {*few[0].validation}
    with pytest.raises(UsageError, match="class a has 20 files"):
        with_fewer_labels(data, hold_out=15, per_class=6, seed=0)
