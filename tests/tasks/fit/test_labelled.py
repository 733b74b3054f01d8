from pathlib import Path

import pytest

from hiera_cli.datasets.dataset import Dataset, read_dataset
from hiera_cli.errors import UsageError
from hiera_cli.tasks.fit.labelled import (
    LabelledVideo,
    by_table_path,
    labelled_videos,
    multi_labelled_videos,
)


def listed(folder: Path, text: str, *, group: str | None = None) -> Dataset:
    file = folder / "labels.csv"
    file.write_text(text)
    return read_dataset(str(file), group=group)


def video(name: str, *labels: str) -> LabelledVideo:
    return LabelledVideo(None, name, labels)


def test_class_folders_with_a_pattern_for_groups(tmp_path: Path) -> None:
    for name in ("a/cam1_01.mp4", "a/cam2_01.mp4", "b/cam1_02.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    videos, classes = labelled_videos(read_dataset(str(tmp_path), group=r"(cam\d)_"))
    assert classes == ("a", "b")
    assert [(v.name, v.labels, v.group) for v in videos] == [
        ("a/cam1_01.mp4", ("a",), "cam1"),
        ("a/cam2_01.mp4", ("a",), "cam2"),
        ("b/cam1_02.mp4", ("b",), "cam1"),
    ]
    assert [v.path for v in videos] == [str(tmp_path / v.name) for v in videos]


def test_labels_of_a_table_need_no_files(tmp_path: Path) -> None:
    data = listed(tmp_path, "path,label,day\na.mp4,walks,1\nb.mp4,runs,2\n", group="day")
    videos, classes = labelled_videos(data)
    assert classes == ("runs", "walks")
    assert [(v.path, v.name, v.labels, v.group) for v in videos] == [
        (None, "a.mp4", ("walks",), "1"),
        (None, "b.mp4", ("runs",), "2"),
    ]


def test_several_labels_in_a_cell(tmp_path: Path) -> None:
    data = listed(tmp_path, "path,label\na.mp4,walks; sings\nb.mp4,Sings\nc.mp4,dances;dances\n")
    videos, classes = multi_labelled_videos(data)
    assert classes == ("dances", "sings", "walks")
    assert [v.labels for v in videos] == [("walks", "sings"), ("sings",), ("dances",)]


def test_several_numbers_are_ordered_by_value(tmp_path: Path) -> None:
    data = listed(tmp_path, "path,label\na.mp4,10;2\nb.mp4,2;10\n")
    assert multi_labelled_videos(data)[1] == ("2", "10")


def test_paths_of_a_table_are_matched_whole_or_by_file_name() -> None:
    videos = [video("a/x.mp4", "1"), video("b/y.mp4", "2")]
    assert set(by_table_path(videos, ["a/x.mp4", "c/z.mp4"])) == {"a/x.mp4"}
    moved = by_table_path(videos, ["/data/x.mp4", "/data/y.mp4", "/more/y.mp4"])
    assert moved == {"/data/x.mp4": videos[0]}
    with pytest.raises(UsageError, match=r"'a/x.mp4' is labelled, 'q.mp4' has features"):
        by_table_path(videos, ["q.mp4"])
