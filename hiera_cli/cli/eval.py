"""`hiera eval`: a labelled data set through a model, with metrics and a report."""

import os
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hiera_cli.cli import console
from hiera_cli.cli.options import TalkOptions
from hiera_cli.errors import Failure, NoInputError, UsageError
from hiera_cli.inputs import printable
from hiera_cli.options import EngineOptions

if TYPE_CHECKING:
    from hiera_cli.inference.engine import Engine
    from hiera_cli.tasks.evaluation.evaluate import EvaluationPlan
    from hiera_cli.tasks.evaluation.summary import Account, Summary

ON_EXISTING = ("resume", "overwrite", "error")
PREDICTIONS = "predictions.parquet"
FLAGS = {
    "annotations": typer.Option("--annotations", help="Kinetics CSV or list with the labels."),
    "split": typer.Option("--split", help="train, val or test; val where there are several."),
    "out": typer.Option(
        "-o", "--out", help="Folder for the results.", show_default="eval-MODEL-DATASET"
    ),
    "format": typer.Option("-f", "--format", help="What stdout gets: table or json."),
    "limit": typer.Option("--limit", help="A quick look at so many videos, not a result."),
    "seed": typer.Option("--seed", help="Of the random sample that --limit takes."),
    "rescore": typer.Option(
        "--rescore", help="Metrics anew from this predictions.parquet, without the model."
    ),
    "on_existing": typer.Option("--on-existing", help="resume, overwrite or error."),
}
DataSet = Annotated[
    str,
    typer.Argument(
        metavar="DATASET",
        show_default=False,
        help="Kinetics folder, class folders, or a list file.",
    ),
]


def evaluate(
    dataset: DataSet,
    engine: EngineOptions,
    talk: TalkOptions,
    annotations: str | None = None,
    split: str | None = None,
    out: Path | None = None,
    format: str = "table",  # noqa: A002
    limit: int | None = None,
    seed: int = 0,
    rescore: Path | None = None,
    on_existing: str = "resume",
) -> int:
    """Measure a model's accuracy on a labelled data set: Kinetics, class folders, list files.

    Writes metrics.json, predictions.parquet, per_class.csv, confusion.csv and report.html.
    Stopped at any moment and started again, it goes on where it was.
    """
    from hiera_cli.datasets.dataset import read_dataset
    from hiera_cli.tasks.evaluation.evaluate import plan_evaluation
    from hiera_cli.tasks.evaluation.summary import draw_up, read_labels_of

    _check(format, on_existing)
    data = read_dataset(dataset, annotations=annotations, split=split)
    _introduce(data, quiet=talk.quiet)
    if rescore is not None:
        labels = read_labels_of(rescore)
        plan = plan_evaluation(data, labels, limit=limit, seed=seed)
        folder, predictions = out or rescore.parent, rescore
    else:
        ready = _open_engine(engine)
        plan = plan_evaluation(data, ready.loaded.labels, limit=limit, seed=seed)
        folder = out or default_folder(ready.loaded.name, dataset)
        predictions = folder / PREDICTIONS
        _run(plan, ready, predictions, dataset, on_existing=on_existing, quiet=talk.quiet)
    account = draw_up(predictions, plan)
    summary = _write(account, folder, dataset, engine)
    _show(summary, folder, as_json=format == "json")
    return exit_code(summary)


def _check(format: str, on_existing: str) -> None:  # noqa: A002
    if format not in ("table", "json"):
        raise UsageError(f"unknown format '{format}'", hint="use table or json")
    if on_existing not in ON_EXISTING:
        hint = f"use one of {', '.join(ON_EXISTING)}"
        raise UsageError(f"unknown --on-existing '{on_existing}'", hint=hint)


def _introduce(data: Any, *, quiet: bool) -> None:
    """Say aloud how the data set was read."""
    if not quiet:
        console.say(data.layout)
        console.say(
            f"{len(data.samples)} videos of {len(data.classes)} classes, "
            f"{data.num_missing} missing, {data.num_duplicates} repeated rows left out"
        )
        for warning in data.warnings:
            console.say(f"warning: {warning}")


def _open_engine(options: EngineOptions) -> "Engine":
    """The engine; image models see the paper's single center crop unless told otherwise."""
    from hiera_cli.inference.open import loader_options, open_engine
    from hiera_cli.tasks.evaluation.evaluate import DEFAULT_IMAGE_PROTOCOL, DEFAULT_PROTOCOL

    engine = open_engine(options, protocol=DEFAULT_PROTOCOL)
    preprocessing = engine.loaded.preprocessing
    if preprocessing.num_frames == 1:
        loader = loader_options(options, preprocessing, DEFAULT_IMAGE_PROTOCOL)
        return replace(engine, loader=loader)
    return engine


def default_folder(model: str, dataset: str) -> Path:
    """`eval-MODEL-DATASET` in the current folder."""
    name = os.path.splitext(os.path.basename(os.path.abspath(dataset)))[0]  # noqa: PTH100, PTH119, PTH122
    return Path("-".join(re.sub(r"[^\w.]+", "_", part) for part in ("eval", model, name)))


def _run(
    plan: "EvaluationPlan",
    engine: "Engine",
    predictions: Path,
    dataset: str,
    *,
    on_existing: Any,
    quiet: bool,
) -> None:
    """Add every video that the table lacks, in a way that survives being stopped."""
    from hiera_cli.tables import begin_table, lock_output, parse_output
    from hiera_cli.tasks.evaluation.evaluate import evaluate, shorten, table_columns, table_settings

    if plan.match.unknown and not quiet:
        console.say(f"warning: labels the model does not have: {shorten(plan.match.unknown)}")
    if not plan.files:
        raise NoInputError(f"none of {len(plan.expected)} videos is there", hint="check the paths")
    output = parse_output(predictions)
    with lock_output(output):
        table = begin_table(
            output,
            table_columns(len(plan.labels)),
            settings=table_settings(engine, limit=plan.limit, seed=plan.seed),
            roots=[printable(os.path.abspath(dataset))],  # noqa: PTH100
            on_existing=on_existing,
        )
        num_left = sum(source.name not in table.finished for source in plan.files)
        if num_left < len(plan.files) and not quiet:
            console.say(f"{len(plan.files) - num_left} videos are finished already")
        for failure in _follow(evaluate(plan, engine, table), num_left, quiet=quiet):
            console.show_failure(failure)
        table.finish(keep_empty=True)


def _follow(results: Iterator[Any], total: int, *, quiet: bool) -> Iterator[Failure]:
    """The failures among the results, with progress and the running top-1 on the terminal."""
    num_right = num_judged = 0

    def note() -> str:
        return f"top-1 {num_right / num_judged:.1%}" if num_judged else ""

    for result in console.progress(results, total=total, unit="videos", quiet=quiet, note=note):
        if isinstance(result, Failure):
            yield result
        else:
            num_judged += 1
            num_right += result.is_correct


def _write(account: "Account", folder: Path, dataset: str, engine: EngineOptions) -> "Summary":
    """Write everything but the predictions."""
    from hiera_cli.report.bundle import write_report
    from hiera_cli.tasks.evaluation.summary import summarise
    from hiera_cli.video.decode import Limits

    summary = summarise(account, dataset=printable(os.path.abspath(dataset)))  # noqa: PTH100
    limits = Limits(max_pixels=engine.max_pixels, timeout_seconds=engine.timeout or None)
    command = printable(shlex.join(["hiera", *sys.argv[1:]]))
    write_report(account, summary, folder, command=command, limits=limits)
    return summary


def _show(summary: "Summary", folder: Path, *, as_json: bool) -> None:
    """The headline on stdout."""
    from hiera_cli.report.files import metrics_json

    if as_json:
        sys.stdout.write(metrics_json(summary))
        return
    low, high = summary.top1_interval_95
    lines = [
        ("top-1", f"{_percent(summary.top1)} (95 %: {_percent(low)} to {_percent(high)})"),
        ("top-5", _percent(summary.top5)),
        ("mean class", _percent(summary.mean_class_accuracy)),
        (
            "calibration",
            f"{_percent(summary.calibration_error)} expected error",
        ),
        ("evaluated", f"{summary.num_evaluated} of {summary.num_expected} videos"),
        ("missing", str(summary.num_missing)),
        ("failed", str(summary.num_failed)),
    ]
    if summary.num_unknown_label:
        lines.append(("unknown label", str(summary.num_unknown_label)))
    if summary.published_top1 is not None and summary.gap is not None:
        gap = f"{100 * summary.gap:+.1f} points"
        lines.append(("published", f"{_percent(summary.published_top1)} (gap {gap})"))
    if summary.limit is not None:
        lines.append(("note", "a quick look at a random sample, not a result"))
    lines.append(("report", printable(str(folder / "report.html"))))
    sys.stdout.write("".join(f"{name:14}{value}\n" for name, value in lines))


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.2%}"


def exit_code(summary: "Summary") -> int:
    """0 when every promised video was judged, 4 when none was, else 3."""
    if summary.num_evaluated == 0:
        return 4
    return 0 if summary.num_evaluated == summary.num_expected else 3
