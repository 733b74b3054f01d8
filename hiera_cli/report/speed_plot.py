"""Speed against accuracy, as the paper's figure 3: measured here, published there."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from hiera_cli.errors import OutputError, UsageError
from hiera_cli.files import replacing
from hiera_cli.tasks.benchmark.comparison import Comparison
from hiera_cli.tasks.benchmark.run import BenchmarkReport

OURS, THEIRS = "tab:blue", "tab:gray"


def require_matplotlib() -> None:
    """Refuse early, before anything is measured.

    Raises:
        UsageError: the `report` extra is missing.
    """
    if find_spec("matplotlib") is None:
        raise UsageError("--plot needs matplotlib", hint="pip install 'hiera-cli[report]'")


def plottable(comparison: Sequence[Comparison]) -> list[Comparison]:
    """Those with a published accuracy to stand at."""
    return [one for one in comparison if one.top1 is not None]


def draw_speed_plot(report: BenchmarkReport, path: Path) -> None:
    """Write the figure: clips a second across, published top-1 up; format by the suffix.

    Raises:
        UsageError: matplotlib is missing, or nothing that was measured has a published accuracy.
        OutputError: the file cannot be written.
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    points = plottable(report.comparison)
    if not points:
        raise UsageError("nothing that was measured has a published accuracy", hint="add --compare")
    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots()
    for point in points:
        colour = OURS if point.name.startswith("hiera_") else THEIRS
        place = (point.views_per_second, point.top1 or 0.0)
        axes.scatter(*place, s=3 * point.gflops_per_view**0.75 + 20, color=colour, alpha=0.7)
        axes.annotate(point.name, place, xytext=(6, 6), textcoords="offset points", fontsize=8)
    axes.set_xlabel(f"views per second, measured ({report.machine})")
    axes.set_ylabel("top-1 in percent, as published")
    axes.set_xlim(left=0)
    axes.margins(0.15)
    axes.grid(visible=True, alpha=0.3)
    try:
        with replacing(path) as part:
            figure.savefig(part, format=path.suffix.removeprefix("."), dpi=150)
    except ValueError as error:
        raise OutputError(f"cannot write '{path}': {error}", hint="name a .png or .svg") from error
