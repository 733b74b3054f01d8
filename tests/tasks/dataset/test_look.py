import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hiera_cli.datasets.options import DatasetOptions
from hiera_cli.errors import Failure, NoInputError
from hiera_cli.tasks.dataset.look import look_at
from hiera_cli.tasks.dataset.summary import DatasetReport, ValueCount
from tests.media import write_waves


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight clips of two classes in two splits: one broken, one doubled across the splits."""
    root = tmp_path_factory.mktemp("data")
    for n, name in enumerate(
        ["train/a/1", "train/a/2", "train/a/3", "train/b/4", "val/a/5", "val/b/6"]
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        write_waves(root / f"{name}.mp4", num_frames=10 + n, seed=n)
    shutil.copy(root / "val/b/6.mp4", root / "train/a/copy.mp4")
    (root / "val/a/junk.mp4").write_bytes(b"no video at all")
    return root


def report_of(root: Path, **changes: object) -> DatasetReport:
    look = look_at(str(root), DatasetOptions(**changes))  # type: ignore[arg-type]
    list(look.run())
    return look.report()


def test_a_data_set_with_its_faults(root: Path) -> None:
    report = report_of(root, group=r"/(\d)\.")
    assert report.num_files == 8
    assert report.splits == {"train": 5, "val": 3}
    assert [(c.label, c.num_files, c.splits, c.num_broken) for c in report.classes] == [
        ("a", 6, {"train": 4, "val": 2}, 1),
        ("b", 2, {"train": 1, "val": 1}, 0),
    ]
    assert (report.majority, report.imbalance) == (6 / 8, 3.0)
    assert [(Path(f.path).name, f.kind) for f in report.broken] == [("junk.mp4", "not_a_video")]
    (same,) = report.duplicates
    assert same.paths == ("train/a/copy.mp4", "val/b/6.mp4")
    assert (same.labels, same.splits) == (("a", "b"), ("train", "val"))
    assert report.leaks == report.conflicts == (same,)
    assert report.frames is not None
    assert (report.frames.minimum, report.frames.maximum) == (10, 15)
    assert report.num_groups == 6
    assert report.suggestion is None  # it is divided


def test_groups_on_both_sides_are_said(root: Path) -> None:
    (shared,) = report_of(root, group="(a)/").group_leaks
    assert (shared.group, shared.splits, shared.num_files) == ("a", ("train", "val"), 6)


def test_an_undivided_set_gets_a_suggestion_that_keeps_equal_files_together(
    root: Path, tmp_path: Path
) -> None:
    shutil.copytree(root / "train", tmp_path / "all")
    shutil.copy(tmp_path / "all/a/copy.mp4", tmp_path / "all/b/twin.mp4")
    look = look_at(str(tmp_path / "all"), DatasetOptions())
    results = list(look.run())
    assert not any(isinstance(result, Failure) for result in results)
    report = look.report(shares={"val": 0.4}, folder=tmp_path / "split")
    assert report.suggestion is not None
    assert report.suggestion.num_units == 5
    lists = [(tmp_path / "split" / f"{name}.csv").read_text() for name in ("train", "val")]
    assert [("copy" in text) == ("twin" in text) for text in lists] == [True, True]
    assert sum(text.count("\n") - 1 for text in lists) == 6


def test_pictures_in_folders_and_in_an_archive(tmp_path: Path) -> None:
    for n, name in enumerate(("cat/1.png", "cat/2.png", "dog/3.png")):
        (tmp_path / "p" / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.full((24, 32, 3), 80 * min(n, 1), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "p" / name)
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        for file in sorted((tmp_path / "p").rglob("*.png")):
            archive.write(file, file.relative_to(tmp_path))
    for place in (tmp_path / "p", tmp_path / "p.zip"):
        report = report_of(place)
        assert report.sizes == (ValueCount("32x24", 3),)
        assert report.durations is None
        assert report.rates == ()
        assert [same.labels for same in report.duplicates] == [("cat", "dog")]


def test_missing_files_are_counted_and_named(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text(f"path,label\n{root}/train/a/1.mp4,a\n{root}/train/a/7.mp4,b\n")
    report = report_of(file)
    assert report.missing == (f"{root}/train/a/7.mp4",)
    assert "the nearest that exists is" in report.missing_hint
    file.write_text("path,label\nx.mp4,a\n")
    with pytest.raises(NoInputError, match="none of 1 files is there"):
        report_of(file)


def test_classes_that_teach_nothing_are_said(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text(f"path,label\n{root}/train/a/1.mp4,a\n{root}/train/a/2.mp4,a\n")
    assert "all files are of one class, 'a': nothing to tell apart" in report_of(file).warnings
    file.write_text(f"path,label\n{root}/train/a/1.mp4,a\n{root}/train/b/4.mp4,b\n")
    warning = "every class has a single file: nothing is left to validate on"
    assert warning in report_of(file).warnings
