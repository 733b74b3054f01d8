from pathlib import Path

import pytest

from hiera_cli.datasets.dataset import read_dataset, splits_of
from hiera_cli.errors import UsageError

NAMES = "/a/abbey 0\n/a/apartment_building/outdoor 1\n/z/zoo 2\n"
TRAIN = "/a/abbey/1.jpg 0\n/a/apartment_building/outdoor/1.jpg 1\n/z/zoo/1.jpg 2\n"
VAL = "Places365_val_1.jpg 2\nPlaces365_val_2.jpg 0\n"


def write(root: Path, *, train: str = TRAIN, folders: tuple[str, str]) -> Path:
    root.mkdir(parents=True)
    (root / "categories_places365.txt").write_text(NAMES)
    (root / "places365_train_standard.txt").write_text(train)
    (root / "places365_val.txt").write_text(VAL)
    for folder, rows in zip(folders, (TRAIN, VAL), strict=True):
        for row in rows.splitlines():
            picture = root / folder / row.split()[0].lstrip("/")
            picture.parent.mkdir(parents=True, exist_ok=True)
            picture.touch()
    return root


@pytest.mark.parametrize(
    "folders", [("data_256_standard", "val_256"), ("data_large_standard", "val_large"), ("", "")]
)
def test_the_lists_and_their_folders(tmp_path: Path, folders: tuple[str, str]) -> None:
    root = write(tmp_path / "places", folders=folders)
    assert splits_of(str(root)) == ("train", "val")
    data = read_dataset(str(root), split="train")
    assert data.classes == ("abbey", "apartment_building/outdoor", "zoo")
    assert [sample.label for sample in data.samples] == list(data.classes)
    assert data.samples[0].path == str(root / folders[0] / "a" / "abbey" / "1.jpg")
    val = read_dataset(str(root))
    assert (val.split, [sample.label for sample in val.samples]) == ("val", ["zoo", "abbey"])
    assert val.num_missing == 0
    alone = read_dataset(str(root / "places365_train_standard.txt"))
    assert alone.samples == data.samples


def test_class_folders(tmp_path: Path) -> None:
    """The easy format: one folder a class, below train/ and val/."""
    for split in ("train", "val"):
        for name in ("abbey", "zoo"):
            (tmp_path / split / name).mkdir(parents=True)
            (tmp_path / split / name / "1.jpg").touch()
    assert read_dataset(str(tmp_path), split="train").classes == ("abbey", "zoo")


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ("/a/abbey/1.jpg 0\n/a/abbey/2.jpg\n", "line 2: '/a/abbey/2.jpg' is no"),
        ("/a/abbey/1.jpg 3\n", "class 3 is not in categories_places365.txt"),
    ],
)
def test_odd_lines(tmp_path: Path, train: str, message: str) -> None:
    root = write(tmp_path / "places", train=train, folders=("", ""))
    with pytest.raises(UsageError, match=message):
        read_dataset(str(root), split="train")


def test_names_are_needed(tmp_path: Path) -> None:
    root = write(tmp_path / "places", folders=("", ""))
    (root / "categories_places365.txt").unlink()
    with pytest.raises(UsageError, match=r"no categories_places365\.txt beside"):
        read_dataset(str(root), split="train")
