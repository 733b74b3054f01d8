import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from hiera_cli.cli import console, training
from hiera_cli.errors import Failure
from hiera_cli.training.records import (
    Epoch,
    MetricsLog,
    Record,
    Skipped,
    Started,
    Step,
    TrivialLosses,
    Validation,
)

RECORDS: list[Record] = [
    Started(8, 2, 2, 0, 1_500_000, "cpu"),
    Step(1, 0.5, 1.25, 0.1, 0.5, 4, 0, 0.1),
    Step(2, 1.0, 1.0, 0.1, 0.5, 4, 0, 0.1),
    Epoch(1, 2, 1.125, Validation(1.5, 0.75, 1.0, 8, 0), is_best=True, seconds=2.0),
]
SKIPPED = Skipped(Failure("bad.mp4", "corrupt", "damaged"))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    log = MetricsLog(tmp_path / "metrics.jsonl")
    for record in RECORDS:
        log.append(record)
    return tmp_path


def test_a_run_is_told_on_stderr(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert training.follow(RECORDS, out=run, quiet=False, hint="go on") == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "8 videos, 2 steps of 2 an epoch, 1.5 M parameters on cpu" in said.err
    assert "epoch    1  step      2  loss 1.1250  val 1.5000  top-1 75.0%" in said.err
    assert said.err.endswith("go on\n")
    assert (run / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_pretraining_is_told_with_what_trivial_answers_lose(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trivial = TrivialLosses(0.998, 0.541, 0.875)
    records = [RECORDS[0], Epoch(1, 2, 0.75, None, is_best=True, seconds=2.0, trivial=trivial)]
    training.follow(records, out=run, quiet=False, hint="")
    said = capsys.readouterr().err
    answers = "(patch mean 0.9980, nearest visible patch 0.5410, mean picture 0.8750)"
    assert f"loss 0.7500  {answers}  2.0 s" in said


def test_skipped_files_change_the_exit_code(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [RECORDS[0], SKIPPED]
    assert training.follow(records, out=run, quiet=True, hint="") == 3
    assert capsys.readouterr().err == "failed: bad.mp4: damaged (corrupt)\n"


def test_of_several_processes_one_speaks(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def records() -> Iterator[Record]:
        logging.getLogger("hiera_cli").info("the recipe")
        yield from (RECORDS[0], SKIPPED)

    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank, said in (("0", True), ("1", False)):
        monkeypatch.setenv("RANK", rank)
        console.set_up_logging(quiet=False, verbose=False)
        assert training.follow(records(), out=run, quiet=False, hint="go on") == 0
        text = capsys.readouterr().err
        assert ("the recipe" in text, "bad.mp4" in text, "go on" in text) == (said, said, said)
