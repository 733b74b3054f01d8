from pathlib import Path

import pytest

from hiera_cli.datasets.dataset import read_dataset
from hiera_cli.errors import UsageError
from hiera_cli.tasks.fit.labelled import (
    LabelledVideo,
    by_table_path,
    choose_classes,
    of_dataset,
    of_label_file,
    with_names,
)


def video(name: str, *labels: str, path: str | None = None) -> LabelledVideo:
    return LabelledVideo(path, name, labels)


def test_class_folders_with_a_pattern_for_groups(tmp_path: Path) -> None:
    for name in ("a/cam1_01.mp4", "a/cam2_01.mp4", "b/cam1_02.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    data = read_dataset(str(tmp_path))
    videos = of_dataset(data, group=r"(cam\d)_", multi_label=False)
    assert [(v.name, v.labels, v.group) for v in videos] == [
        ("a/cam1_01.mp4", ("a",), "cam1"),
        ("a/cam2_01.mp4", ("a",), "cam2"),
        ("b/cam1_02.mp4", ("b",), "cam1"),
    ]
    assert [v.path for v in videos] == [str(tmp_path / v.name) for v in videos]


@pytest.mark.parametrize(
    ("group", "message"),
    [("(", "no regular expression"), ("day", "is no column, and fits no path such as 'x.mp4'")],
)
def test_groups_that_mean_nothing(tmp_path: Path, group: str, message: str) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("path,label\nx.mp4,a\n")
    with pytest.raises(UsageError, match=message):
        of_label_file(file, group=group, multi_label=False)


def test_a_label_file_as_spreadsheets_write_it(tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_bytes(
        b'\xef\xbb\xbfPath,Label,Day\r\n"one, two.mp4",walks,1\r\n\r\nthree.mp4,Runs,2\r\n'
        b"four.mp4,runs,2\r\n"
    )
    videos = of_label_file(file, group="day", multi_label=False)
    assert [(v.name, v.labels, v.group) for v in videos] == [
        ("one, two.mp4", ("walks",), "1"),
        ("three.mp4", ("Runs",), "2"),
        ("four.mp4", ("Runs",), "2"),
    ]


def test_a_line_of_another_length_is_named(tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("path,label\na.mp4,walks\nb.mp4,runs,2\n")
    with pytest.raises(UsageError, match="line 3: 3 columns, the header has 2"):
        of_label_file(file, group=None, multi_label=False)


def test_several_labels_in_a_cell_or_in_several_rows(tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("path,label\na.mp4,walks; sings\nb.mp4,sings\nb.mp4,dances\n")
    videos = of_label_file(file, group=None, multi_label=True)
    assert [v.labels for v in videos] == [("walks", "sings"), ("sings", "dances")]
    with pytest.raises(UsageError, match=r"'b.mp4' has the labels sings and dances"):
        of_label_file(file, group=None, multi_label=False)


def test_numbers_are_ordered_by_value_and_may_have_names() -> None:
    videos = [video("a", "10"), video("b", "2"), video("c", "0")]
    assert choose_classes(videos, None) == ("0", "2", "10")
    names = tuple(f"name {index}" for index in range(11))
    assert choose_classes(videos, names) == names
    assert [v.labels for v in with_names(videos, names)] == [("name 10",), ("name 2",), ("name 0",)]


@pytest.mark.parametrize(
    ("label", "message"),
    [("2", "class 2 has no name: --class-names has 2"), ("swim", "'swim' is not in --class-names")],
)
def test_labels_without_a_name(label: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        choose_classes([video("a", label)], ("walk", "run"))


def test_paths_of_a_table_are_matched_whole_or_by_file_name() -> None:
    videos = [video("a/x.mp4", "1"), video("b/y.mp4", "2")]
    assert set(by_table_path(videos, ["a/x.mp4", "c/z.mp4"])) == {"a/x.mp4"}
    moved = by_table_path(videos, ["/data/x.mp4", "/data/y.mp4", "/more/y.mp4"])
    assert moved == {"/data/x.mp4": videos[0]}
    with pytest.raises(UsageError, match=r"'a/x.mp4' is labelled, 'q.mp4' has features"):
        by_table_path(videos, ["q.mp4"])
