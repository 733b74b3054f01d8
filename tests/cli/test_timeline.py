"""The timeline, search and explore commands, through the command line."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from hiera_cli.cli.app import make_app
from hiera_cli.video.decode import probe
from tests.media import write_blocks
from tests.models import save_tiny


def hiera(command: str, *arguments: object) -> Result:
    return CliRunner().invoke(make_app(), [command, *map(str, arguments)])


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("model") / "tiny", head_scale=20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for name, seed in (("a", 1), ("b", 2)):
        write_blocks(folder / f"{name}.mp4", num_frames=45, seed=seed)
    return folder


def test_everything_at_once(model: Path, folder: Path, tmp_path: Path) -> None:
    result = hiera(
        "timeline", folder, folder / "gone.mp4", "-m", model, "--device", "cpu", "-f", "jsonl",
        "--plot", tmp_path / "p.png", "--plot", tmp_path / "p.html",
        "--annotate", tmp_path / "films", "--save-clips", tmp_path / "clips",
        "--per-second", tmp_path / "s.csv",
    )  # fmt: skip
    assert result.exit_code == 3, result.output
    *segments, failed = [json.loads(line) for line in result.stdout.splitlines()]
    assert failed["error"]["kind"] == "not_found"
    assert set(segments[0]) == {"path", "start_seconds", "end_seconds", "label", "score"}
    assert {Path(s["path"]).name for s in segments} == {"a.mp4", "b.mp4"}
    assert len(list((tmp_path / "clips").iterdir())) == len(segments)
    assert probe(str(tmp_path / "films" / "a.mp4")).num_frames == 45
    assert size_of(tmp_path / "p.png")[0] == 1600
    assert '"videos":[{' in (tmp_path / "p.html").read_text()
    rows = list(csv.DictReader((tmp_path / "s.csv").read_text().splitlines()))
    assert [row["second"] for row in rows] == ["0", "1", "0", "1"]


def test_sheets_need_a_folder_for_several_videos(model: Path, folder: Path, tmp_path: Path) -> None:
    flags = ("-m", model, "--device", "cpu", "-q")
    assert hiera("timeline", folder, *flags, "-f", "srt").exit_code == 2
    assert hiera("timeline", folder, *flags, "-f", "srt", "-o", tmp_path / "subs").exit_code == 0
    assert sorted(p.name for p in (tmp_path / "subs").iterdir()) == ["a.srt", "b.srt"]
    single = hiera("timeline", folder / "a.mp4", *flags, "-o", tmp_path / "a.vtt")
    assert single.exit_code == 0
    assert (tmp_path / "a.vtt").read_text().startswith("WEBVTT\n")
    assert hiera("timeline", *flags).exit_code == 4


def test_a_pipe(model: Path, tmp_path: Path) -> None:
    """Segments of a stream come on stdout, the changes on stderr."""
    source = write_blocks(tmp_path / "x.mkv", num_frames=60, seed=3)
    command = [sys.executable, "-m", "hiera_cli", "timeline", "--device-input", "-", "-m", model]
    done = subprocess.run(
        [*map(str, command), "--device", "cpu", "-f", "jsonl"],
        input=source.read_bytes(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    segments = [json.loads(line) for line in done.stdout.splitlines()]
    assert segments[0]["start_seconds"] == 0
    assert segments[-1]["end_seconds"] == pytest.approx(59 / 30, abs=0.05)
    assert done.stderr.splitlines()


def test_a_camera_that_is_not_there(model: Path) -> None:
    result = hiera("timeline", "--device-input", "/dev/video99", "-m", model, "--device", "cpu")
    assert result.exit_code == 4
    assert "there is no such camera; this machine has" in result.output


def test_search_and_explore(model: Path, folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "t.parquet"
    extract = ("-m", model, "--device", "cpu", "--scores", "-q", "-o", table)
    assert hiera("extract-features", folder, *extract).exit_code == 0
    like = f"{folder / 'a.mp4'}#0-0.6"
    found = hiera("search", table, "--like", like, "--device", "cpu", "-k", 2, "-f", "json",
                  "--html", tmp_path / "s.html", "--mirrored", "--boxed")  # fmt: skip
    assert found.exit_code == 0, found.output
    first = json.loads(found.stdout)[0]
    assert (first["rank"], first["path"], first["clip_index"]) == (1, "a.mp4", 0)
    assert set(first) == {"rank", "path", "clip_index", "start_seconds", "end_seconds", "score"}
    assert "data:image/jpeg" in (tmp_path / "s.html").read_text()
    groups = hiera("search", table, "--duplicates", "--least-score", -1, "-f", "json")
    assert set(json.loads(groups.stdout)[0]) == {
        "group", "path", "start_seconds", "end_seconds", "score"
    }  # fmt: skip
    clusters = hiera("search", table, "--cluster", 2, "--plot", tmp_path / "c.png", "-f", "jsonl")
    assert clusters.exit_code == 0
    assert size_of(tmp_path / "c.png") == (1200, 1200)
    assert hiera("search", table).exit_code == 2
    assert hiera("explore", table, "-o", tmp_path / "page", "-q").exit_code == 0
    assert (tmp_path / "page" / "sheets" / "0000.jpg").exists()
    assert hiera("explore", table, "--uncertain", 1, "-o", tmp_path / "l.txt").exit_code == 0
    assert Path((tmp_path / "l.txt").read_text().strip()).exists()


def test_classify_explains(model: Path, folder: Path, tmp_path: Path) -> None:
    flags = ("-m", model, "--device", "cpu", "--protocol", "fast", "-q")
    result = hiera("classify", folder / "a.mp4", *flags, "--explain", tmp_path / "why")
    assert result.exit_code == 0
    names = sorted(p.name for p in (tmp_path / "why").iterdir())
    assert names == ["a.relevance.png", "a.views.png"]
