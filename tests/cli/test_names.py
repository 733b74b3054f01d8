"""Awkward names, and names of what is no file, through the commands and out of their tables."""

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from hiera_cli.cli.app import make_app
from hiera_cli.inputs import printable
from tests.media import write_blocks
from tests.models import SMALL_VIDEO, save_tiny
from tests.names import AWKWARD_NAMES

NAMES = [os.fsdecode(name) for name in AWKWARD_NAMES]
NO_FILES = {
    "gone.mp4": "not_found",
    "dangling.mp4": "not_found",
    "loop.mp4": "not_found",
    "pipe.mp4": "not_a_video",
}
UNREACHABLE = "http://127.0.0.1:9/x.mp4"  # a scheme that the user typed is a remote file


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("model") / "tiny", SMALL_VIDEO)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips under awkward names; each lasts another time, so that none can stand for another."""
    folder = tmp_path_factory.mktemp("names")
    for index, name in enumerate(NAMES):
        clip = write_blocks(folder / "clip.mp4", num_frames=3 + index)
        clip.rename(folder / name)
    (folder / "dangling.mp4").symlink_to("nothing")
    (folder / "loop.mp4").symlink_to("loop.mp4")
    os.mkfifo(folder / "pipe.mp4")
    (folder / "x.mp4").mkdir()
    write_blocks(folder / "x.mp4" / "inside.mp4", num_frames=2)
    return folder


def hiera(command: str, *arguments: object) -> Result:
    return CliRunner().invoke(make_app(), [command, *map(str, arguments)])


def num_frames(records: list[dict[str, Any]]) -> dict[str, int]:
    return {record["path"]: record["num_frames"] for record in records}


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


EXPECTED = {name: 3 + index for index, name in enumerate(NAMES)}


@pytest.mark.usefixtures("here")
def test_probe() -> None:
    result = hiera("probe", "-f", "json", "--", *NAMES)
    assert (result.exit_code, result.stderr) == (0, "")
    assert num_frames(json.loads(result.stdout)) == EXPECTED


@pytest.mark.usefixtures("here")
def test_classify(model: Path) -> None:
    flags = ("-m", model, "--device", "cpu", "--protocol", "fast")
    result = hiera("classify", *flags, "-f", "jsonl", "--", *NAMES)
    assert (result.exit_code, result.stderr) == (0, "")
    assert num_frames([json.loads(line) for line in result.stdout.splitlines()]) == EXPECTED


@pytest.mark.usefixtures("here")
def test_extract_features_and_resume(model: Path, tmp_path: Path) -> None:
    """Names in the table are text, so one that is no UTF-8 has its bytes spelled out."""
    out = tmp_path / "table.parquet"
    flags = ("-m", model, "--device", "cpu", "-o", out)
    assert hiera("extract-features", *flags, "--", *NAMES[:9]).exit_code == 0
    result = hiera("extract-features", *flags, "--", *NAMES)
    assert result.exit_code == 0
    assert "9 of 33 videos are finished already" in result.stderr
    table = pd.read_parquet(out)
    told = {name: name for name in NAMES}
    told["latin \\xe9.mp4"] = told.pop(os.fsdecode(b"latin \xe9.mp4"))
    seconds = table.groupby("path").end_seconds.max()
    assert {told[name]: round(end * 30) for name, end in seconds.items()} == EXPECTED


@pytest.mark.usefixtures("here")
def test_csv() -> None:
    result = hiera("probe", "-f", "csv", "--", *NAMES)
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    told = [name.encode("utf-8", "backslashreplace").decode() for name in NAMES]
    assert [(row["path"], int(row["num_frames"])) for row in rows] == list(
        zip(told, EXPECTED.values(), strict=True)
    )


@pytest.mark.usefixtures("here")
def test_a_terminal_gets_nothing_that_acts_on_it() -> None:
    result = hiera("probe", "-f", "table", "--", *NAMES, *NO_FILES)
    for name in NAMES:
        assert printable(name) in result.stdout.replace("\n", "")
    assert not set(result.stdout + result.stderr) & {"\x1b", "\u202e", "\udce9"}


@pytest.mark.parametrize("command", ["probe", "classify", "extract-features"])
@pytest.mark.usefixtures("here")
def test_what_is_no_file(command: str, model: Path, tmp_path: Path) -> None:
    flags = () if command == "probe" else ("-m", model, "--device", "cpu")
    out = tmp_path / ("x.parquet" if command == "extract-features" else "x.jsonl")
    result = hiera(command, *flags, "-o", out, "--", NAMES[0], *NO_FILES, UNREACHABLE)
    assert result.exit_code == 3
    lines = Path(f"{out}.errors.jsonl" if command == "extract-features" else out).read_text()
    failed = [json.loads(line) for line in lines.splitlines()]
    kinds = {f["path"]: f.get("kind") or f.get("error", {}).get("kind") for f in failed}
    assert kinds.pop(UNREACHABLE) in ("not_found", "internal")  # with or without its driver
    assert {path: kind for path, kind in kinds.items() if kind} == NO_FILES


@pytest.mark.usefixtures("here")
def test_a_folder_called_like_a_video_is_a_folder() -> None:
    result = hiera("probe", "-f", "json", "x.mp4")
    assert num_frames(json.loads(result.stdout)) == {os.path.join("x.mp4", "inside.mp4"): 2}
