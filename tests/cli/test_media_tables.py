"""Every command reads a Parquet table of videos as it reads the videos themselves."""

import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from hiera_cli.cli.app import make_app
from tests.media import write_classes
from tests.media_tables import write_media_table
from tests.models import save_tiny

LABELS = ("run", "jump", "sit")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("model") / "tiny", labels=LABELS, head_scale=12.0)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve videos in class folders."""
    return write_classes(tmp_path_factory.mktemp("files"), LABELS, num=12)


@pytest.fixture(scope="module")
def table(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in one table, in another order than that of their names."""
    found = sorted(files.rglob("*.mp4"), key=lambda path: path.stem, reverse=True)
    return write_media_table(
        tmp_path_factory.mktemp("hub") / "data" / "train-0.parquet",
        [(str(path.relative_to(files)), path.read_bytes()) for path in found],
        names=LABELS,
        group_size=5,
        label=[LABELS.index(path.parent.name) for path in found],
    )


def hiera(*arguments: object) -> str:
    result = CliRunner().invoke(make_app(), [*map(str, arguments), "-q"])
    assert result.exit_code == 0, result.stderr
    return result.stdout


def by_name(text: str, root: Path) -> dict[str, dict]:
    records = (json.loads(line) for line in text.splitlines())
    return {record.pop("path").removeprefix(f"{root}/"): record for record in records}


@pytest.mark.parametrize("command", ["classify", "probe"])
def test_records(files: Path, table: Path, model: Path, command: str) -> None:
    options = ("-f", "jsonl", *(("-m", model) if command == "classify" else ()))
    expected = by_name(hiera(command, files, *options), files)
    assert by_name(hiera(command, table, *options), table) == expected
    assert by_name(hiera(command, table.parents[1], *options), table) == expected


def test_features(files: Path, table: Path, model: Path, tmp_path: Path) -> None:
    found = []
    for name, place in (("files", files), ("table", table)):
        hiera("extract-features", place, "-m", model, "-o", tmp_path / f"{name}.parquet")
        found.append(pd.read_parquet(tmp_path / f"{name}.parquet"))
    pd.testing.assert_frame_equal(*found)


def test_eval_and_fit(files: Path, table: Path, model: Path, tmp_path: Path) -> None:
    told = []
    for place in (files, table):
        out = tmp_path / str(len(told))
        metrics = json.loads(
            hiera("eval", place, "-m", model, "-o", out, "-f", "json", "--protocol", "fast")
        )
        fitted = json.loads(
            hiera("fit", place, "-m", model, "-o", out / "model", "-f", "json", "--head", "knn")
        )
        told.append((metrics["top1"], metrics["num_evaluated"], sorted(fitted["classes"])))
        assert (out / "report.html").read_text().count("data:image/jpeg") > 0
    assert told[0] == told[1]
    assert told[0][1:] == (12, sorted(LABELS))
