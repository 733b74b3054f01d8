"""A file on which the decoder aborts costs that file; the run goes on."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hiera_cli.training.finetune import finetune
from hiera_cli.training.options import FinetuneOptions, PretrainOptions, RunOptions
from hiera_cli.training.pretrain import pretrain
from hiera_cli.training.recipe import FinetuneChanges, PretrainChanges
from hiera_cli.training.records import Epoch, Skipped
from hiera_cli.video.isolation.worker import Worker
from tests.training.media import write_classes

ABORTING = "aborting.mp4"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Eight clips of four classes, and one of a name at which the decoder aborts."""
    folder = write_classes(tmp_path / "data", clips_per_class=2)
    whole = folder / "static" / "0.mp4"
    (folder / "static" / ABORTING).write_bytes(whole.read_bytes())
    return folder


@pytest.fixture(autouse=True)
def aborts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The decoding child gets SIGABRT from itself, as when FFmpeg fails an assertion."""
    ask: Callable[..., None] = Worker.ask

    def ask_and_abort(self: Worker, request: dict[str, Any], timeout: float | None) -> None:
        ask(self, request, timeout)
        if bytes.fromhex(request["path"]).endswith(ABORTING.encode()):
            os.kill(self.pid, signal.SIGABRT)

    monkeypatch.setattr(Worker, "ask", ask_and_abort)


@pytest.mark.parametrize("workers", [0, 2])
def test_fine_tuning_goes_on(data: Path, tiny: str, tmp_path: Path, workers: int) -> None:
    options = FinetuneOptions(data=str(data), val=str(data), model=tiny, from_scratch=True)
    run = RunOptions(out=tmp_path / "run", workers=workers, device="cpu")
    changes = FinetuneChanges(epochs=2, batch_size=4, repeats=1, magnitude=0.0)
    records = list(finetune(options, run, changes=changes))
    skipped = [record.failure for record in records if isinstance(record, Skipped)]
    assert [(Path(failure.path).name, failure.kind) for failure in skipped] == [
        (ABORTING, "corrupt")
    ]
    last = [record for record in records if isinstance(record, Epoch)][-1]
    assert last.validation is not None
    assert (last.validation.num_videos, last.validation.num_failed) == (8, 1)


def test_pretraining_goes_on(data: Path, tiny: str, tmp_path: Path) -> None:
    options = PretrainOptions(inputs=[str(data)], model=tiny)
    run = RunOptions(out=tmp_path / "run", workers=1, device="cpu")
    changes = PretrainChanges(epochs=2, batch_size=4, repeats=1)
    records = list(pretrain(options, run, changes=changes))
    skipped = [Path(r.failure.path).name for r in records if isinstance(r, Skipped)]
    assert skipped == [ABORTING]
