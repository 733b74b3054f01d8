from pathlib import Path

import pytest

from hiera_cli.report.curves import draw_curves
from hiera_cli.training.records import Epoch, MetricsLog, Step


def test_curves_of_a_run_without_validation(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "metrics.jsonl")
    for step in range(1, 4):
        log.append(Step(step, step / 3, 1.0 / step, 0.1, 0.5, 4, 0, 0.1))
    log.append(Epoch(1, 3, 0.6, None, is_best=True, seconds=1.0))
    assert draw_curves(tmp_path / "metrics.jsonl", tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert not (tmp_path / "curves.tmp").exists()


def test_without_matplotlib_nothing_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hiera_cli.report.curves.find_spec", lambda _: None)
    assert not draw_curves(tmp_path / "metrics.jsonl", tmp_path / "curves.png")
