import json
from pathlib import Path
from typing import Any

import pytest

from hiera_cli.datasets.dataset import read_dataset, splits_of
from hiera_cli.errors import UsageError


def document(folder: str, **changes: Any) -> dict[str, Any]:
    """Two pictures of two species, as iNaturalist lists them."""
    images = [{"id": 10, "file_name": f"{folder}/Aves/1/b.jpg", "width": 800},
              {"id": 11, "file_name": f"{folder}/Aves/0/a.jpg", "width": 800}]  # fmt: skip
    categories = [{"id": 1, "name": "Turdus merula", "supercategory": "Aves"},
                  {"id": 0, "name": "Passer domesticus", "supercategory": "Aves"}]  # fmt: skip
    annotations = [{"id": 1, "image_id": 10, "category_id": 1},
                   {"id": 2, "image_id": 11, "category_id": 0}]  # fmt: skip
    content = {"info": {"year": 2018}, "images": images, "licenses": [],
               "annotations": annotations, "categories": categories}  # fmt: skip
    return {**content, **changes}


def write(path: Path, content: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    for image in content["images"]:
        picture = path.parent / image["file_name"]
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.touch()
    return path


@pytest.mark.parametrize(
    ("year", "folder"),
    [("2017", "train_val_images"), ("2018", "train_val2018"), ("2019", "train_val2019"),
     ("", "train/00001_Animalia_Chordata_Aves")],
)  # fmt: skip
def test_the_layouts_of_all_years(tmp_path: Path, year: str, folder: str) -> None:
    for split in ("train", "val"):
        write(tmp_path / f"{split}{year}.json", document(folder))
    assert splits_of(str(tmp_path)) == ("train", "val")
    data = read_dataset(str(tmp_path), split="train")
    assert data.classes == ("Passer domesticus", "Turdus merula")
    assert data.split == "train"
    assert [(sample.label, sample.path) for sample in data.samples] == [
        ("Turdus merula", str(tmp_path / folder / "Aves" / "1" / "b.jpg")),
        ("Passer domesticus", str(tmp_path / folder / "Aves" / "0" / "a.jpg")),
    ]
    alone = read_dataset(str(tmp_path / f"train{year}.json"))
    assert [sample.name for sample in alone.samples] == [sample.name for sample in data.samples]


def test_the_class_folders_of_2021(tmp_path: Path) -> None:
    for name in ("00000_Animalia_Aves_Passer", "00001_Animalia_Aves_Turdus"):
        for split in ("train", "val"):
            (tmp_path / split / name).mkdir(parents=True)
            (tmp_path / split / name / "x.jpg").touch()
    data = read_dataset(str(tmp_path), split="train")
    assert data.classes == ("00000_Animalia_Aves_Passer", "00001_Animalia_Aves_Turdus")


def test_numbers_stay_names_and_twins_are_told_apart(tmp_path: Path) -> None:
    """In 2018 and 2019 species were first called by numbers; names may be there twice."""
    numbered = [{"id": 0, "name": "7"}, {"id": 1, "name": "3"}]
    data = read_dataset(str(write(tmp_path / "a" / "val2018.json",
                                  document("x", categories=numbered))))  # fmt: skip
    assert (data.classes, data.indexed, data.split) == (("7", "3"), False, "val")
    twins = [{"id": 0, "name": "Iris"}, {"id": 1, "name": "Iris"}]
    data = read_dataset(str(write(tmp_path / "b" / "val2018.json",
                                  document("x", categories=twins))))  # fmt: skip
    assert data.classes == ("Iris 0", "Iris 1")


def test_missing_pictures_stay_in_the_list(tmp_path: Path) -> None:
    path = write(tmp_path / "train2018.json", document("x"))
    (tmp_path / "x/Aves/1/b.jpg").unlink()
    data = read_dataset(str(path))
    assert (data.num_missing, len(data.samples)) == (1, 2)
    assert "'x/Aves/1/b.jpg' is not in" in data.missing_hint


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"annotations": [{"id": 5, "image_id": 9, "category_id": 0}]}, "5: no picture 9"),
        ({"annotations": [{"id": 5, "image_id": 10, "category_id": 7}]}, "5: no category 7"),
        ({"annotations": None}, "no list of annotations"),
        ({"categories": [{"id": 0}]}, "found 0 and None"),
        ({"categories": [{"id": "0", "name": "a"}]}, "found '0' and 'a'"),
        ({"categories": [{"id": 0, "name": "a"}, {"id": 0, "name": "b"}]}, "with the id 0"),
    ],
)
def test_what_makes_no_sense(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_dataset(str(write(tmp_path / "train2018.json", document("x", **changes))))


def test_a_damaged_file(tmp_path: Path) -> None:
    (tmp_path / "train2018.json").write_text('{"info": {}, "images": [')
    with pytest.raises(UsageError, match="is no JSON"):
        read_dataset(str(tmp_path), split="train")
