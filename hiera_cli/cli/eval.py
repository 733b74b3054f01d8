"""`hiera eval`: a labelled data set through a model, with metrics and a report."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hiera_cli.cli import console
from hiera_cli.cli.options import TalkOptions
from hiera_cli.errors import Failure
from hiera_cli.inputs import printable
from hiera_cli.options import EngineOptions, EvaluationOptions

if TYPE_CHECKING:
    from hiera_cli.datasets.dataset import Dataset
    from hiera_cli.tasks.evaluation.evaluate import Evaluation
    from hiera_cli.tasks.evaluation.summary import Summary

ReportFormat = Literal["table", "json"]
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
    "timeline": typer.Option(
        "--timeline", help="Score segments: ActivityNet JSON, or CSV of annotated times."
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
    evaluation: EvaluationOptions,
    talk: TalkOptions,
    format: ReportFormat = "table",  # noqa: A002
    timeline: Path | None = None,
) -> int:
    """Measure a model's accuracy on a labelled data set: Kinetics, class folders, list files.

    Writes metrics.json, predictions.parquet, per_class.csv, confusion.csv and report.html.
    Stopped at any moment and started again, it goes on where it was.
    """
    if timeline is not None:
        from hiera_cli.cli.timeline_eval import evaluate_timelines

        out, as_json = evaluation.out, format == "json"
        return evaluate_timelines(
            dataset, timeline, engine, out=out, quiet=talk.quiet, as_json=as_json
        )
    from hiera_cli.datasets.dataset import read_dataset
    from hiera_cli.report.bundle import write_report
    from hiera_cli.tasks.evaluation.evaluate import open_evaluation
    from hiera_cli.video.decode import Limits

    data = read_dataset(dataset, annotations=evaluation.annotations, split=evaluation.split)
    _introduce(data, quiet=talk.quiet)
    ready = open_evaluation(dataset, evaluation, engine, data=data)
    _follow(ready, quiet=talk.quiet)
    account, summary = ready.result()
    command = printable(shlex.join(["hiera", *sys.argv[1:]]))
    write_report(account, summary, ready.folder, command=command, limits=Limits.of(engine))
    _show(summary, ready.folder, as_json=format == "json")
    return exit_code(summary)


def _introduce(data: "Dataset", *, quiet: bool) -> None:
    """Say aloud how the data set was read."""
    if not quiet:
        console.say(data.layout)
        console.say(
            f"{len(data.samples)} videos of {len(data.classes)} classes, "
            f"{data.num_missing} missing, {data.num_duplicates} repeated rows left out"
        )
        for warning in data.warnings:
            console.say(f"warning: {warning}")


def _follow(ready: "Evaluation", *, quiet: bool) -> None:
    """Run what is left, with progress, the running top-1 and the failures on the terminal."""
    from hiera_cli.tasks.evaluation.predict import shorten

    if ready.engine is None:
        return
    plan, num_left = ready.plan, ready.num_left
    if plan.match.unknown and not quiet:
        console.say(f"warning: labels the model does not have: {shorten(plan.match.unknown)}")
    if num_left < len(plan.files) and not quiet:
        console.say(f"{len(plan.files) - num_left} videos are finished already")
    num_right = num_judged = 0

    def note() -> str:
        return f"top-1 {num_right / num_judged:.1%}" if num_judged else ""

    for result in console.progress(
        ready.run(), total=num_left, unit="videos", quiet=quiet, note=note
    ):
        if isinstance(result, Failure):
            console.show_failure(result)
        else:
            num_judged += 1
            num_right += result.is_correct


def _show(summary: "Summary", folder: Path, *, as_json: bool) -> None:
    """The headline on stdout."""
    from hiera_cli.tasks.evaluation.files import metrics_json

    if as_json:
        sys.stdout.write(metrics_json(summary))
        return
    low, high = summary.top1_interval_95
    lines = [
        ("top-1", f"{_percent(summary.top1)} (95 %: {_percent(low)} to {_percent(high)})"),
        ("top-5", _percent(summary.top5)),
        ("mean class", _percent(summary.mean_class_accuracy)),
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
