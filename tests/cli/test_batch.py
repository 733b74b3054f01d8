"""Progress as JSON lines and log files, from the outside and line by line."""

import json
import time
from pathlib import Path

import pytest

from hiera_cli.cli import batch
from hiera_cli.cli.app import make_app
from hiera_cli.cli.batch import Account, follow, memory_bytes
from hiera_cli.errors import Failure


def test_a_line_has_the_whole_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", iter([100.0, 104.0]).__next__)
    account = Account(10, "videos")
    account.count("a video")
    account.count(Failure("b.mp4", "corrupt", "it is"))
    found = json.loads(account.line())
    assert found.pop("memory_bytes") > 2**20
    assert found == {
        "done": 2,
        "failed": 1,
        "total": 10,
        "unit": "videos",
        "per_second": 0.5,
        "elapsed_seconds": 4.0,
        "eta_seconds": 16.0,
        "finished": False,
    }


def test_lines_come_while_one_item_takes_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(batch, "INTERVAL_SECONDS", 0.02)
    for _ in follow([1, 2], total=None, unit="videos"):
        time.sleep(0.1)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert len(lines) > 3
    assert lines[-1]["done"] == 2
    assert lines[-1]["eta_seconds"] is None
    assert [line["finished"] for line in lines] == [False] * (len(lines) - 1) + [True]


def test_memory_is_what_is_held_now() -> None:
    assert 2**20 < memory_bytes() < 2**36


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as caught:
        make_app("extract-features")(["extract-features", *map(str, words)])
    return int(caught.value.code or 0)


def test_the_command_tells_and_logs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    log = tmp_path / "run.log"
    words = [tmp_path / "a.mp4", "-m", "camera-motion", "-o", tmp_path / "f.parquet"]
    for _ in range(2):
        assert run(*words, "--progress", "json", "--log-file", log) == 4
    out, err = capsys.readouterr()
    assert out == ""
    told = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
    assert (told[0]["done"], told[0]["failed"], told[0]["finished"]) == (1, 1, True)
    lines = log.read_text().splitlines()
    assert sum("failed: " in line and "(not_a_video)" in line for line in lines) == 2
    assert all(line[:2] == "20" and " INFO " in line for line in lines)


def test_a_log_file_that_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "--log-file", tmp_path) == 2
    assert "cannot write --log-file" in capsys.readouterr().err
