import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hiera_cli.cli.app import make_app
from tests.media import write_waves

KEYS = {
    "dataset", "layouts", "num_files", "num_missing", "num_broken", "num_damaged",
    "num_repeated_rows", "splits", "classes", "majority", "imbalance", "durations", "num_bytes",
    "frames", "sizes", "rates", "codecs", "broken", "missing", "missing_hint", "duplicates",
    "conflicts", "leaks", "num_groups", "group_leaks", "warnings", "suggestion",
}  # fmt: skip


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("clips")
    for n in range(8):
        name = root / ("walk" if n % 2 else "<i>run") / f"{n}.mp4"
        name.parent.mkdir(exist_ok=True)
        write_waves(name, num_frames=8, seed=n)
    return root


def hiera(*arguments: object) -> tuple[int, str, str]:
    ran = CliRunner().invoke(make_app("dataset"), ["dataset", *map(str, arguments)])
    return ran.exit_code, ran.stdout, ran.stderr


def test_a_table_for_people(clips: Path) -> None:
    code, out, err = hiera(clips)
    assert code == 0, err
    assert f"read as    class folders in '{clips}'" in out
    assert re.search(r"walk +━{24} +4\n", out)
    assert "split      suggested: 6 train, 2 val; write it with --write-split val=0.2" in out


def test_json_for_scripts(clips: Path, tmp_path: Path) -> None:
    code, out, _ = hiera(clips, "-f", "json")
    report = json.loads(out)
    assert code == 0
    assert set(report) == KEYS
    assert report["classes"][1]["label"] == "walk"
    assert hiera(clips, "-o", tmp_path / "report.json")[1] == ""
    assert json.loads((tmp_path / "report.json").read_text()) == report


def test_a_page_that_needs_nothing_else(clips: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert hiera(clips, "--html", page)[0] == 0
    html = page.read_text()
    assert not re.search(r"(src|href)=\"(?!data:)", html)
    assert "<script" not in html
    assert "&lt;i&gt;run" in html
    assert html.count("<img") == 8  # four distinct frames of each class
    assert "<i>run" not in html


def test_a_split_that_other_commands_take(clips: Path, tmp_path: Path) -> None:
    folder = tmp_path / "split"
    code, out, err = hiera(clips, "--write-split", "val=25%", "--split-dir", folder)
    assert code == 0
    assert f"split      6 train, 2 val, in {folder}" in out
    assert f"hiera finetune {folder}" in err
    code, out, err = hiera(folder)
    assert code == 0, err
    assert "files      8: 6 train, 2 val" in out


@pytest.mark.parametrize(
    "share", ["val", "val=x", "val=2", "train=0.5", "val=0.5,test=0.5", "../x=0.1"]
)
def test_shares_that_mean_nothing(clips: Path, share: str) -> None:
    code, _, err = hiera(clips, "--write-split", share)
    assert code == 2
    assert "val=0.2" in err or "between 0 and 1" in err


def test_broken_and_missing_files_change_the_exit_code(clips: Path, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(f"path,label\n{clips}/walk/1.mp4,walk\ngone.mp4,run\n")
    code, out, _ = hiera(tmp_path / "list.csv")
    assert code == 3
    assert "missing    1" in out
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.mp4").write_bytes(b"x")
    (tmp_path / "list.csv").unlink()
    assert hiera(tmp_path)[0] == 4
    assert hiera(tmp_path / "nowhere")[0] == 2
