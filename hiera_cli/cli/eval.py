"""`hiera eval`: a labelled data set through a model, with metrics and a report."""

import json
import shlex
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hiera_cli.cli import console, eval_detection
from hiera_cli.cli.options import RAY_FLAGS, TalkOptions
from hiera_cli.cli.units import counted
from hiera_cli.distributed.options import RayOptions
from hiera_cli.errors import Failure
from hiera_cli.inputs import printable
from hiera_cli.options import EngineOptions
from hiera_cli.remote import url_of
from hiera_cli.tasks.evaluation.options import EvaluationOptions

if TYPE_CHECKING:
    from hiera_cli.datasets.dataset import Dataset
    from hiera_cli.tasks.evaluation.evaluate import Evaluation, RunEvaluation
    from hiera_cli.tasks.evaluation.summary import Summary

FEW_CLASSES = 5
ReportFormat = Literal["table", "json"]
View = Literal["center", "whole"]
Task = Literal["classes", "boxes", "masks", "detection"]
FLAGS = {
    **RAY_FLAGS,
    "view": typer.Option("--view", help="Actions: center (crop) or whole (frame)."),
    "task": typer.Option(
        "--task", help="classes, boxes (COCO, VOC), masks (COCO), detection (AVA)."
    ),
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
    "compare": typer.Option(
        "--compare", help="Compare DATASET, a predictions.parquet, with this one; run nothing."
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
        help="Kinetics folder, class folders, or a list file; with --compare, an evaluation.",
    ),
]


def evaluate(
    dataset: DataSet,
    engine: EngineOptions,
    evaluation: EvaluationOptions,
    cluster: RayOptions,
    talk: TalkOptions,
    format: ReportFormat = "table",  # noqa: A002
    task: Task = "classes",
    view: View = "center",
    timeline: Path | None = None,
) -> int:
    """Measure a model's accuracy on a labelled data set: Kinetics, class folders, list files.

    Writes metrics.json, predictions.parquet, per_class.csv, confusion.csv and report.html.
    Stopped at any moment and started again, it goes on where it was.
    """
    if evaluation.compare is not None:
        return _compare(dataset, evaluation, as_json=format == "json")
    from hiera_cli.tables.local_output import local_output

    quiet, as_json = talk.quiet, format == "json"
    with local_output(evaluation.out, is_folder=True) as folder:
        local = replace(evaluation, out=folder)
        if timeline is not None:
            from hiera_cli.cli.timeline_eval import evaluate_timelines

            return evaluate_timelines(
                dataset, timeline, engine, out=folder, quiet=quiet, as_json=as_json
            )
        if task != "classes":
            return eval_detection.evaluate_detector(
                dataset, task, engine, local, view=view, quiet=quiet, as_json=as_json
            )
        summary, place = _classify(dataset, engine, local, cluster, quiet=quiet)
        url = url_of(evaluation.out or "")
        _show(summary, f"{url or place}/report.html", as_json=as_json)
        return exit_code(summary)


def _classify(
    dataset: str,
    engine: EngineOptions,
    evaluation: EvaluationOptions,
    cluster: RayOptions,
    *,
    quiet: bool,
) -> "tuple[Summary, Path]":
    """Run what is left, and write the results and the report; says in which folder."""
    from hiera_cli.datasets.dataset import read_dataset
    from hiera_cli.report.bundle import write_report
    from hiera_cli.tasks.evaluation.evaluate import open_evaluation
    from hiera_cli.tasks.evaluation.hints import labels_count_from_one
    from hiera_cli.video.decode import Limits

    run = _runner(cluster, engine, evaluation)
    with console.waiting("reading the data set", quiet=quiet):
        data = read_dataset(
            dataset,
            annotations=evaluation.annotations,
            split=evaluation.split,
            class_names=evaluation.class_names,
            labels_from=evaluation.labels_from,
        )
    _introduce(data, quiet=quiet)
    with console.waiting(f"opening {engine.model}", quiet=quiet):
        ready = open_evaluation(dataset, evaluation, engine, data=data)
    _follow(ready, run, quiet=quiet)
    account, summary = ready.result()
    command = printable(shlex.join(["hiera", *sys.argv[1:]]))
    write_report(account, summary, ready.folder, command=command, limits=Limits.of(engine))
    if labels_count_from_one(account):
        console.say("hint: the labels seem to count from 1: try again with --labels-from 1")
    return summary, ready.folder


def _compare(dataset: str, evaluation: EvaluationOptions, *, as_json: bool) -> int:
    """Two evaluations side by side on stdout."""
    from hiera_cli.tasks.evaluation.compare import compare_predictions

    assert evaluation.compare is not None
    found = compare_predictions(dataset, evaluation.compare, seed=evaluation.seed)
    if as_json:
        sys.stdout.write(json.dumps(asdict(found), ensure_ascii=False) + "\n")
        return 0
    low, high = (f"{100 * bound:+.1f}" for bound in found.difference_interval_95)
    lines = [
        f"{'A':14}{_percent(found.top1_a)} top-1 of {found.model_a} ({found.a})",
        f"{'B':14}{_percent(found.top1_b)} top-1 of {found.model_b} ({found.b})",
        f"{'A - B':14}{100 * found.difference:+.1f} points (95 %: {low} to {high})",
        f"{'McNemar':14}p = {found.mcnemar_p:.3g} ({len(found.won)} won, {len(found.lost)} lost)",
        f"{'videos':14}{found.num_both} in both, {found.num_only_a} in A and "
        f"{found.num_only_b} in B alone",
    ]
    for name, changes in (("won", found.won), ("lost", found.lost)):
        lines += ["", f"{name} by A"] if changes else []
        lines += [
            f"  {c.path}: {c.label}; A says {c.predicted_a}, B {c.predicted_b}" for c in changes
        ]
    console.show_lines(lines, indent=14)
    return 0


def _introduce(data: "Dataset", *, quiet: bool) -> None:
    """Say aloud how the data set was read."""
    if not quiet:
        console.say(data.layout)
        console.say(
            f"{counted(len(data.samples), 'video')} of {counted(len(data.classes), 'class')}, "
            f"{data.num_missing} missing, {counted(data.num_duplicates, 'repeated row')} left out"
        )
        for warning in data.warnings:
            console.say(f"warning: {warning}")


def _runner(
    cluster: RayOptions, engine: EngineOptions, evaluation: EvaluationOptions
) -> "RunEvaluation":
    """Who runs the model: this machine, or a cluster."""
    if cluster.engine == "local":
        from hiera_cli.tasks.evaluation.predict import run_evaluation

        return run_evaluation
    from hiera_cli.distributed.jobs import RayEvaluation

    return RayEvaluation(cluster, engine, evaluation)


def _follow(ready: "Evaluation", run: "RunEvaluation", *, quiet: bool) -> None:
    """Run what is left, with progress, the running top-1 and the failures on the terminal."""
    from hiera_cli.tasks.evaluation.predict import shorten

    if ready.engine is None:
        return
    plan, num_left = ready.plan, ready.num_left
    if plan.match.unknown and not quiet:
        console.say(f"warning: labels the model does not have: {shorten(plan.match.unknown)}")
    if num_left < len(plan.files) and not quiet:
        console.say(f"{counted(len(plan.files) - num_left, 'video', be=True)} finished already")
    num_right = num_judged = 0

    def note() -> str:
        return f"top-1 {num_right / num_judged:.1%}" if num_judged else ""

    for result in console.progress(
        ready.run(run),
        total=len(plan.files),
        done=len(plan.files) - num_left,
        unit="videos",
        quiet=quiet,
        note=note,
    ):
        if isinstance(result, Failure):
            console.show_failure(result)
        else:
            num_judged += 1
            num_right += result.is_correct


def _show(summary: "Summary", report: str, *, as_json: bool) -> None:
    """The headline on stdout."""
    from hiera_cli.tasks.evaluation.files import metrics_json

    if as_json:
        sys.stdout.write(metrics_json(summary))
        return
    low, high = summary.top1_interval_95
    lines = [
        ("top-1", f"{_percent(summary.top1)} (95 %: {_percent(low)} to {_percent(high)})"),
        ("to beat", f"{_percent(summary.majority)} (always the largest class)"),
        ("top-5", _percent(summary.top5)),
        ("balanced", f"{_percent(summary.mean_class_accuracy)} (mean over the classes)"),
        ("macro-F1", _percent(summary.macro_f1)),
        (
            "calibration",
            f"{_percent(summary.calibration_error)} expected error",
        ),
        ("evaluated", f"{summary.num_evaluated} of {counted(summary.num_expected, 'video')}"),
        ("missing", str(summary.num_missing)),
        ("failed", str(summary.num_failed)),
    ]
    if summary.num_classes <= FEW_CLASSES:
        del lines[2]  # of five classes one is always among the first five
    if summary.num_unknown_label:
        lines.append(("unknown label", str(summary.num_unknown_label)))
    if summary.published_top1 is not None and summary.gap is not None:
        gap = f"{100 * summary.gap:+.1f} points"
        lines.append(("published", f"{_percent(summary.published_top1)} (gap {gap})"))
    if summary.limit is not None:
        lines.append(("note", "a quick look at a random sample, not a result"))
    lines.append(("report", report))
    console.show_facts(lines)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.2%}"


def exit_code(summary: "Summary") -> int:
    """0 when every promised video was judged, 4 when none was, else 3."""
    if summary.num_evaluated == 0:
        return 4
    return 0 if summary.num_evaluated == summary.num_expected else 3
