from pathlib import Path

from hiera_cli.errors import Failure
from hiera_cli.training.records import Epoch, MetricsLog, Skipped, Step, Validation

STEP = Step(
    step=1, epoch=0.5, loss=2.0, lr=0.1, grad_norm=None, num_clips=4, num_failed=0, seconds=1.0
)


def log_with(path: Path, *steps: int) -> MetricsLog:
    log = MetricsLog(path)
    for step in steps:
        log.append(Step(step, step / 2, 1.0, 0.1, 0.5, 4, 0, 0.1))
    return log


def test_lines_hold_the_records(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "m.jsonl")
    log.append(STEP)
    log.append(Epoch(1, 2, 1.5, Validation(0.5, 0.25, 1.0, 8, 1), is_best=True, seconds=3.0))
    log.append(Skipped(Failure("x.mp4", "corrupt", "damaged")))
    step, epoch, skipped = log.read()
    assert (step["event"], step["loss"], step["grad_norm"]) == ("step", 2.0, None)
    assert (epoch["event"], epoch["validation"]["top1"]) == ("epoch", 0.25)
    assert skipped["failure"] == {"path": "x.mp4", "kind": "corrupt", "message": "damaged"}
    assert log.failed_paths() == {"x.mp4"}


def test_what_came_after_a_checkpoint_is_forgotten(tmp_path: Path) -> None:
    log = log_with(tmp_path / "m.jsonl", 1, 2, 3, 4)
    with (tmp_path / "m.jsonl").open("a") as file:
        file.write('{"event": "step", "st')  # killed in the middle of a line
    log.forget_after(2)
    assert [line["step"] for line in log.read()] == [1, 2]
    log.append(STEP)
    assert len(list(log.read())) == 3
