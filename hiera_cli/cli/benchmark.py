"""`hiera benchmark`: where the time goes, and how that compares."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import typer

from hiera_cli.cli import console
from hiera_cli.cli.benchmark_plan import PLAN_FLAGS, show_plan
from hiera_cli.cli.options import OutputOptions
from hiera_cli.cli.records import Layout, RecordWriter
from hiera_cli.cli.sources import find_files
from hiera_cli.cli.terminal import is_terminal
from hiera_cli.errors import UsageError
from hiera_cli.inputs import InputPath
from hiera_cli.options import EngineOptions
from hiera_cli.tasks.benchmark.options import PlanOptions

if TYPE_CHECKING:
    from hiera_cli.tasks.benchmark.run import BenchmarkOptions, BenchmarkReport

FLAGS: dict[str, Any] = {
    **PLAN_FLAGS,
    "inputs": typer.Argument(
        metavar="[INPUTS...]",
        show_default=False,
        help="Videos to read; without any, some are made up.",
    ),
    "batch_sizes": typer.Option("--batch-sizes", help="Of the sweep, as in 1,2,4."),
    "rounds": typer.Option("--rounds", help="Timed calls of everything."),
    "compare": typer.Option("--compare", help="Time the other networks that are installed, too."),
    "against": typer.Option(
        "--against",
        metavar="NAME",
        help="Time this one: a baseline, a zoo model, compile, onnx, openvino or bfloat16 (which "
        "--dtype auto then goes by); repeatable.",
    ),
    "training": typer.Option("--training", help="Time training steps, dense and masked, too."),
    "plot": typer.Option("--plot", help="Draw speed against published accuracy."),
    "suite": typer.Option(
        "--suite", help="Measure a whole table instead: gpu or decode; --out keeps it as JSON."
    ),
    "tiny": typer.Option("--tiny", help="Of a suite: stand-in networks, to try every row out."),
    "budget_seconds": typer.Option("--budget-seconds", help="Of a suite: no row ends later."),
}
NUM_GENERATED = 2
WIDTH = 120  # of the tables where there is no terminal to ask


def benchmark(
    engine: EngineOptions,
    plan: PlanOptions,
    output: OutputOptions,
    inputs: list[str] | None = None,
    batch_sizes: str | None = None,
    rounds: int = 5,
    compare: bool = False,
    against: list[str] | None = None,
    training: bool = False,
    plot: Path | None = None,
    suite: str | None = None,
    tiny: bool = False,
    budget_seconds: float = 460.0,
) -> int:
    """Measure decoding, preprocessing, copying, the model, and all of it end to end.

    A zoo name is measured with random weights: nothing is downloaded. The comparison takes turns
    in one process and reports medians and ratios. A suite is a whole table: Markdown on stdout,
    JSON in --out, which the same command goes on with when it was interrupted.
    """
    if suite is not None:
        from hiera_cli.cli.benchmark_suite import benchmark_suite
        from hiera_cli.tasks.benchmark.suite.options import SuiteName, SuiteOptions

        chosen = SuiteOptions(
            suite=cast(SuiteName, suite),
            inputs=tuple(inputs or ()),
            model=engine.model,
            device=engine.device,
            out=output.out,
            tiny=tiny,
            budget_seconds=budget_seconds,
            rounds=rounds,
        )
        return benchmark_suite(chosen, output)
    if plan.plan:
        with _videos(inputs) as files:
            return show_plan(files, engine, plan, output)
    from hiera_cli.tasks.benchmark.run import BenchmarkOptions

    options = BenchmarkOptions(
        batch_sizes=_sizes(batch_sizes),
        rounds=rounds,
        against=tuple(against or ()),
        all_installed=compare or (plot is not None and not against),
        training=training,
    )
    return _measure(inputs, engine, options, output, plot)


def _measure(
    inputs: list[str] | None,
    engine: EngineOptions,
    options: "BenchmarkOptions",
    output: OutputOptions,
    plot: Path | None,
) -> int:
    """Where the time goes, as tables and perhaps a picture."""
    from hiera_cli.report.speed_plot import draw_speed_plot, require_matplotlib
    from hiera_cli.tasks.benchmark.run import benchmark as measure

    if plot is not None:
        require_matplotlib()
    layout = Layout(("section", "name", "seconds", "views_per_second"), _rows, _show)
    with RecordWriter(output, layout) as writer, _videos(inputs) as files:
        with console.waiting("measuring", quiet=output.quiet):
            report = measure(files, engine, options)
        writer.write(report)
    if plot is not None:
        draw_speed_plot(report, plot)
    return 0


@contextmanager
def _videos(inputs: list[str] | None) -> Iterator[list[InputPath]]:
    """The videos that are named, or some that are made up."""
    if inputs:
        yield find_files(inputs, quiet=True)
        return
    from hiera_cli.tasks.benchmark.generated import generated_videos

    with generated_videos(num=NUM_GENERATED) as files:
        yield files


def _sizes(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        sizes = tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError as error:
        raise UsageError(f"--batch-sizes takes numbers as in 1,2,4, not '{text}'") from error
    if sizes[0] < 1:
        raise UsageError(f"--batch-sizes must be at least 1, not {sizes[0]}")
    return sizes


def _rows(report: "BenchmarkReport") -> Iterable[dict[str, Any]]:
    for stage in report.stages:
        yield _row("stage", stage.name, stage.seconds_per_view, stage.views_per_second)
    for point in report.sweep:
        yield _row("sweep", point.batch_size, point.seconds, point.views_per_second)
    for one in report.comparison:
        yield _row("comparison", one.name, one.seconds, one.views_per_second)
    for step in report.training:
        yield _row("training", step.name, step.seconds, step.clips_per_second)


def _row(section: str, name: object, seconds: float, rate: float | None) -> dict[str, Any]:
    return {"section": section, "name": name, "seconds": seconds, "views_per_second": rate}


def _show(report: "BenchmarkReport", stream: IO[str]) -> None:
    """The report as tables."""
    page = console.page(stream)
    if not is_terminal(stream):
        page.width = WIDTH

    def say(text: str) -> None:
        page.print(console.wrapped(text, stream))

    say(f"{report.model} ({report.checkpoint}) · {report.backend} · {report.machine}")
    say(
        f"{report.threads} threads · torch {report.torch_version} · matrix peak "
        f"{report.matmul_peak_gflops:.0f} GFLOP/s · {_number(report.gflops_per_view)} GFLOP a view"
    )
    page.print(_stage_table(report), soft_wrap=False)
    page.print(_sweep_table(report), soft_wrap=False)
    if report.comparison:
        page.print(_comparison_table(report), soft_wrap=False)
    if report.training:
        page.print(_training_table(report), soft_wrap=False)
    say(
        f"end to end: {report.percent_of_model:.0f} % of the model alone · "
        f"bottleneck: {report.bottleneck} · suggested: --workers {report.suggested_workers} "
        f"--batch-size {report.suggested_batch_size}"
    )


def _stage_table(report: "BenchmarkReport") -> Any:
    rows = [
        (one.name, f"{1000 * one.seconds_per_view:.1f}", _number(one.views_per_second))
        for one in report.stages
    ]
    return _table("Stages", ("stage", "ms a view", "views/s"), rows)


def _sweep_table(report: "BenchmarkReport") -> Any:
    rows = [
        (
            str(p.batch_size),
            f"{p.seconds:.3f}",
            _number(p.views_per_second),
            f"{p.percent_of_peak:.0f} %",
        )
        for p in report.sweep
    ]
    return _table("Model alone", ("batch", "seconds", "views/s", "of peak"), rows)


def _comparison_table(report: "BenchmarkReport") -> Any:
    rows = [
        (
            one.name,
            f"{one.seconds:.3f}",
            _number(one.views_per_second),
            f"{one.times_ours:.2f}",
            _number(one.gflops_per_view),
            f"{one.percent_of_peak:.0f} %",
            _number(one.top1),
            "" if one.deviation is None else f"{one.deviation:.0e}",
        )
        for one in report.comparison
    ]
    header = ("network", "seconds", "views/s", "x ours", "GFLOP", "of peak", "top-1", "differs")
    return _table("Comparison: batch 1, medians; top-1 as published", header, rows)


def _training_table(report: "BenchmarkReport") -> Any:
    rows = [
        (
            step.name,
            f"{step.seconds:.3f}",
            _number(step.clips_per_second),
            f"{step.times_dense:.2f}",
            _number(step.gflops_per_clip),
        )
        for step in report.training
    ]
    header = ("step", "seconds", "clips/s", "x dense", "GFLOP")
    return _table("Training: batch 1, medians; x dense: times as fast as", header, rows)


def _table(title: str, header: Iterable[str], rows: Iterable[tuple[str, ...]]) -> Any:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for index, name in enumerate(header):
        table.add_column(name, justify="right" if index else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
