import json
from pathlib import Path

import pytest

from hiera_cli.errors import UsageError
from hiera_cli.training.compare import read_groups
from hiera_cli.training.records import Epoch, MetricsLog, Started, Validation


def write_run(folder: Path, *top1s: float, videos: int = 100, test: float | None = None) -> None:
    folder.mkdir(parents=True)
    log = MetricsLog(folder / "metrics.jsonl")
    log.append(Started(videos, 20, 10, 0, 1000, "cpu"))
    for epoch, top1 in enumerate(top1s, 1):
        validation = Validation(1.0, top1, 1.0, 50, 0)
        log.append(Epoch(epoch, 10 * epoch, 1.0, validation, is_best=True, seconds=1.0))
    if test is not None:
        (folder / "test").mkdir()
        (folder / "test" / "metrics.json").write_text(json.dumps({"top1": test}))


def test_mean_and_interval_of_three_seeds(tmp_path: Path) -> None:
    for seed, (best, test) in enumerate(((0.50, 0.4), (0.60, 0.5), (0.70, 0.6))):
        write_run(tmp_path / "arm" / str(seed), best, best - 0.1, test=test)
    (group,) = read_groups([tmp_path / "arm"])
    summary = group.summary()
    assert (summary.num_videos, summary.num_runs) == (100, 3)
    assert summary.val_top1 == pytest.approx(0.6)
    assert summary.test_top1 == pytest.approx(0.5)
    # t(0.975, 2) = 4.303; the standard deviation is 0.1
    assert summary.test_plus_minus == pytest.approx(4.303 * 0.1 / 3**0.5)


def test_runs_of_other_sizes_are_other_groups(tmp_path: Path) -> None:
    write_run(tmp_path / "arm" / "many", 0.9, videos=500)
    write_run(tmp_path / "arm" / "few", 0.5, videos=100)
    few, many = read_groups([tmp_path / "arm"])
    assert (few.num_videos, few.runs[0].validation) == (100, ((10, 0.5),))
    assert many.num_videos == 500
    assert many.summary().val_plus_minus is None  # a single run has no interval
    assert many.summary().test_top1 is None


def test_no_test_figure_unless_every_run_has_one(tmp_path: Path) -> None:
    write_run(tmp_path / "arm" / "0", 0.5, test=0.5)
    write_run(tmp_path / "arm" / "1", 0.5)
    (group,) = read_groups([tmp_path / "arm"])
    assert group.test is None


def test_a_folder_without_runs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no run"):
        read_groups([tmp_path])


def test_an_evaluation_that_cannot_be_read(tmp_path: Path) -> None:
    write_run(tmp_path / "0", 0.5, test=0.5)
    (tmp_path / "0" / "test" / "metrics.json").write_text("{}")
    with pytest.raises(UsageError, match="not what `hiera eval` writes"):
        read_groups([tmp_path])
