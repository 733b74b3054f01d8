"""Evaluation from Python: the same numbers as the command line's, with or without files."""

import json
from pathlib import Path

import pandas as pd
import pytest

from hiera_cli import EvaluationOptions, Summary, evaluate
from hiera_cli.errors import NoInputError, UsageError
from tests.media import write_waves
from tests.models import save_tiny

LABELS = ("run", "walk", "jump")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("model"), labels=LABELS, head_scale=12.0)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    for index in range(6):
        folder = root / LABELS[index % 3]
        folder.mkdir(exist_ok=True)
        write_waves(folder / f"{index}.mp4", seed=index)
    (root / "jump" / "broken.mp4").write_bytes(b"no video")
    return root


def test_the_summary_is_what_the_files_say(data: Path, model: Path, tmp_path: Path) -> None:
    summary = evaluate(data, out=tmp_path, model=str(model), protocol="fast")
    assert isinstance(summary, Summary)
    assert (summary.num_expected, summary.num_evaluated, summary.num_failed) == (7, 6, 1)
    written = json.loads((tmp_path / "metrics.json").read_text())
    assert written["top1"] == summary.top1
    table = pd.read_parquet(tmp_path / "predictions.parquet")
    right = (table.label == table.predicted).mean()
    assert summary.top1 == pytest.approx(right)
    assert {p.name for p in tmp_path.iterdir()} >= {"per_class.csv", "confusion.csv"}


def test_nothing_is_kept_where_no_folder_is_named(
    data: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    summary = evaluate(str(data), model=str(model), protocol="fast", limit=3)
    assert (summary.num_expected, summary.limit) == (3, 3)
    assert list(tmp_path.iterdir()) == []


def test_finished_videos_are_not_run_again(data: Path, model: Path, tmp_path: Path) -> None:
    first = evaluate(data, out=tmp_path, model=str(model), protocol="fast")
    written = (tmp_path / "predictions.parquet").stat().st_mtime_ns
    again = evaluate(data, out=tmp_path, model=str(model), protocol="fast")
    assert again == first
    with pytest.raises(UsageError, match="other settings"):
        evaluate(data, out=tmp_path, model=str(model), protocol="balanced")
    assert (tmp_path / "predictions.parquet").stat().st_mtime_ns >= written


def test_errors_are_those_of_the_command_line(data: Path, model: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown option"):
        evaluate(data, model=str(model), nonsense=1)
    with pytest.raises(UsageError, match="--limit"):
        evaluate(data, evaluation=EvaluationOptions(limit=0))
    missing = tmp_path / "list.txt"
    missing.write_text("gone_1.mp4 run\ngone_2.mp4 walk\n")
    with pytest.raises(NoInputError, match=r"none of 2 videos is there") as caught:
        evaluate(missing, model=str(model))
    assert "gone_1.mp4" in caught.value.hint
