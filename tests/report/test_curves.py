from pathlib import Path

import pytest
from PIL import Image

from hiera_cli.report.curves import draw_curves, draw_groups
from hiera_cli.training.compare import RunGroup, RunHistory
from hiera_cli.training.records import Epoch, MetricsLog, Step, Validation


@pytest.mark.parametrize(
    ("validation", "num_panels"), [(None, 2), (Validation(0.9, 0.5, 1.0, 8, 0), 3)]
)
def test_a_panel_for_everything_that_was_measured(
    tmp_path: Path, validation: Validation | None, num_panels: int
) -> None:
    log = MetricsLog(tmp_path / "metrics.jsonl")
    for step in range(1, 4):
        log.append(Step(step, step / 3, 1.0 / step, 0.1, 0.5, 4, 0, 0.1))
    log.append(Epoch(1, 3, 0.6, validation, is_best=True, seconds=1.0))
    assert draw_curves(tmp_path / "metrics.jsonl", tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.size == (408 * num_panels, 360)
    assert not (tmp_path / "curves.tmp").exists()


def test_without_matplotlib_nothing_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hiera_cli.report.curves.find_spec", lambda _: None)
    assert not draw_curves(tmp_path / "metrics.jsonl", tmp_path / "curves.png")


@pytest.mark.parametrize("test_top1", [None, 0.4])
def test_a_panel_for_each_number_of_files_and_one_for_the_results(
    tmp_path: Path, test_top1: float | None
) -> None:
    runs = tuple(RunHistory(str(i), 0, ((10, 0.2), (20, 0.3 + i / 10)), test_top1) for i in (0, 1))
    groups = [RunGroup(arm, size, runs) for arm in ("a", "b") for size in (100, 500)]
    assert draw_groups(groups, tmp_path / "groups.png")
    with Image.open(tmp_path / "groups.png") as picture:
        assert picture.size == (408 * 3, 408)
