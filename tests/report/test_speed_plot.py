import pytest

from hiera_cli.errors import OutputError, UsageError
from hiera_cli.report.speed_plot import draw_speed_plot, plottable
from tests.report.benchmarks import comparison, report

pytest.importorskip("matplotlib")


def test_only_networks_with_a_published_accuracy_are_drawn(tmp_path) -> None:
    measured = report(comparison("hiera_base_16x224", top1=84.0), comparison("mine", top1=None))
    assert [one.name for one in plottable(measured.comparison)] == ["hiera_base_16x224"]
    draw_speed_plot(measured, tmp_path / "speed.svg")
    svg = (tmp_path / "speed.svg").read_text()
    assert "hiera_base_16x224" in svg
    assert "mine" not in svg


def test_nothing_to_draw_and_nowhere_to_draw_it(tmp_path) -> None:
    with pytest.raises(UsageError, match="published accuracy"):
        draw_speed_plot(report(), tmp_path / "speed.png")
    with pytest.raises(OutputError, match="cannot write"):
        draw_speed_plot(report(comparison("a", top1=80.0)), tmp_path / "no" / "speed.png")
