import json
from pathlib import Path

import pytest

from hiera_cli.cli.curves import curves
from hiera_cli.cli.options import OutputOptions
from hiera_cli.training.records import Epoch, MetricsLog, Started, Validation


@pytest.fixture
def arm(tmp_path: Path) -> Path:
    for seed, top1 in enumerate((0.5, 0.7)):
        run = tmp_path / "arm" / str(seed)
        run.mkdir(parents=True)
        log = MetricsLog(run / "metrics.jsonl")
        log.append(Started(100, 20, 10, 0, 1000, "cpu"))
        log.append(Epoch(1, 10, 1.0, Validation(1.0, top1, 1.0, 50, 0), is_best=True, seconds=1.0))
    return tmp_path / "arm"


def test_a_line_for_each_group(arm: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert curves([arm], OutputOptions()) == 0
    # t(0.975, 1) = 12.706; the standard error of 50 and 70 % is 10 %
    assert capsys.readouterr().out == f"{arm}  100 files, 2 runs  validation 60.0 ± 127.1 %\n"


def test_json_has_the_keys_of_the_summary(arm: Path, capsys: pytest.CaptureFixture[str]) -> None:
    curves([arm], OutputOptions(format="json"), plot=arm / "groups.png")
    (group,) = json.loads(capsys.readouterr().out)
    assert (group["num_videos"], group["num_runs"], group["test_top1"]) == (100, 2, None)
    assert (arm / "groups.png").read_bytes().startswith(b"\x89PNG")
