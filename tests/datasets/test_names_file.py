from pathlib import Path

import pytest

from hiera_cli.datasets.names_file import find_class_names, read_class_names
from hiera_cli.errors import UsageError


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("cat\ndog\nmountain goat\n", 0),
        ("0 cat\n1 dog\n2 mountain goat\n", 0),
        ("1 cat\r\n2 dog\r\n3 mountain goat\r\n", 1),
        ("2,mountain goat\n0,cat\n1,dog\n", 0),
        ("id,name\n0,cat\n1,dog\n2,mountain goat\n", 0),
        ("name;id\ncat;0\ndog;1\nmountain goat;2\n", 0),
        ("cat\t0\ndog\t1\nmountain goat\t2\n\n", 0),
        ('["cat", "dog", "mountain goat"]', 0),
        ('{"0": "cat", "1": "dog", "2": "mountain goat"}', 0),
        ('{"cat": 1, "dog": 2, "mountain goat": 3}', 1),
        ('{"id2label": {"0": "cat", "1": "dog", "2": "mountain goat"}}', 0),
    ],
)
def test_every_format_gives_the_same_names(tmp_path: Path, text: str, first: int) -> None:
    file = tmp_path / "names"
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        file.write_text(text, encoding=encoding)
        names = read_class_names(str(file))
        assert (names.names, names.first) == (("cat", "dog", "mountain goat"), first)


def test_another_encoding_is_explained(tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    file.write_bytes("thé\ncafé\n".encode("latin-1"))
    with pytest.raises(UsageError, match="line 1 is neither utf-8 nor utf-16") as caught:
        read_class_names(str(file))
    assert "iconv" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no names"),
        ("cat\n\ndog\n", r"name 1 \(counted from 0\) is empty"),
        ("cat\ndog\ncat\n", "'cat' is class 0 and class 2"),
        ("0 cat\n2 dog\n", "1 is missing"),
        ("5 cat\n6 dog\n", "1 is missing"),
        ("0 cat\n0 dog\n", "1 is missing"),
        ("{", "class names"),
        ('{"cat": "dog"}', "neither number to name nor name to number"),
        ("[" * 60_000, "nested too deeply"),
    ],
)
def test_names_that_make_no_sense_are_refused(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "names.txt"
    file.write_text(text)
    with pytest.raises(UsageError, match=problem) as caught:
        read_class_names(str(file))
    assert "names.txt" in caught.value.message


def test_class_names_that_end_in_numbers_stay_names(tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    file.write_text("camera 1\ncamera 2\n")
    assert read_class_names(str(file)).names == ("camera 1", "camera 2")


def test_siblings_of_a_list_in_order_of_preference(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    labelled = tmp_path / "lists" / "labels.csv"
    labelled.write_text("path,label\na.mp4,1\n")
    find = lambda: find_class_names(str(labelled), str(tmp_path))  # noqa: E731
    assert find() is None  # a list is no file of names
    for name in ("label_map_k400.txt", "lists/label_map_hmdb51.txt", "lists/Classes.txt"):
        (tmp_path / name).write_text("cat\ndog\n")
        assert find() == str(tmp_path / name)
