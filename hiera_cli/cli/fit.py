"""`hiera fit`: from labelled clips to a model for `-m` in seconds."""

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from hiera_cli.cli import console
from hiera_cli.cli.options import TalkOptions
from hiera_cli.cli.units import counted
from hiera_cli.cli.width import columns_of
from hiera_cli.errors import Failure
from hiera_cli.options import EngineOptions
from hiera_cli.remote import url_of
from hiera_cli.tasks.fit.options import FEATURES_SUFFIX, FitOptions

if TYPE_CHECKING:
    from hiera_cli.tasks.fit.result import Fitted
    from hiera_cli.tasks.fit.source import Understood


def _flag(*names: str, help: str, panel: str = "Fit", **rest: Any) -> Any:  # noqa: A002
    return typer.Option(*names, help=help, rich_help_panel=panel, **rest)


FLAGS = {
    "out": _flag("-o", "--out", help="The model folder.", panel="Output"),
    "format": _flag("-f", "--format", help="What stdout gets: table or json.", panel="Output"),
    "annotations": _flag("--annotations", help="File that labels the data set."),
    "val": _flag("--val", help="Data set to judge on.", show_default="the val split, if any"),
    "features": _flag("--features", help="A table that extract-features wrote, with --labels."),
    "labels": _flag("--labels", help="For --features: CSV with the columns path and label."),
    "head": _flag("--head", help="linear, or knn: the nearest clips vote."),
    "multi_label": _flag("--multi-label", help="Several classes a video, separated by `;`."),
    "class_names": _flag("--class-names", help="Names of numbered classes, one a line."),
    "labels_from": _flag("--labels-from", help="Number of the first class."),
    "group": _flag("--group", help="Column, or pattern on the path: what belongs together."),
    "class_weights": _flag("--class-weights", help="auto, balanced or none."),
    "strength": _flag("--strength", help="C of the regression.", show_default="cross-validated"),
    "seed": _flag("--seed", help="Of the splits."),
    "on_existing": _flag("--on-existing", help="Kept features: resume, overwrite or error."),
}
FitFormat = Literal["table", "json"]
DataSet = Annotated[
    str | None,
    typer.Argument(
        metavar="[DATASET]",
        show_default=False,
        help="Class folders, a Kinetics folder or a list file; with train and val splits, the "
        "first is fitted to and the second judged on.",
    ),
]


def fit(
    options: FitOptions,
    engine: EngineOptions,
    talk: TalkOptions,
    dataset: DataSet = None,
    format: FitFormat = "table",  # noqa: A002
) -> int:
    """Fit a classifier to your own clips, on features of a model that stays as it is.

    Features are extracted once and kept beside the output. What is printed is from
    cross-validation: what `classify -m OUT` will do on clips like these.
    """
    from hiera_cli.tables.local_output import local_output
    from hiera_cli.tasks.fit.result import as_json

    beside = (FEATURES_SUFFIX, f"{FEATURES_SUFFIX}.errors.jsonl")
    with local_output(options.out, is_folder=True, beside=beside) as folder:
        fitted = _run(dataset, replace(options, out=folder), engine, quiet=talk.quiet)
    url = url_of(options.out or "")
    if format == "json":
        values = as_json(fitted) | ({"model": url} if url else {})
        sys.stdout.write(json.dumps(values, ensure_ascii=False) + "\n")
    else:
        console.show_lines(_table(fitted, url or str(fitted.folder)), indent=14)
    if not talk.quiet:
        place = fitted.folder.name if url else fitted.folder
        copied = f"copy {url} to a disk, and " if url else ""
        console.say(f"try it: {copied}hiera classify VIDEO -m {place}")
    return 3 if fitted.num_failed or fitted.num_missing else 0


def _run(
    dataset: str | None, options: FitOptions, engine: EngineOptions, *, quiet: bool
) -> "Fitted":
    """Fit, with progress and the failures on the terminal."""
    from hiera_cli.tasks.fit.fit import fit as run_fit
    from hiera_cli.tasks.fit.result import Fitted
    from hiera_cli.tasks.fit.source import Understood

    records = run_fit(dataset, options, engine)
    understood = next(records)
    assert isinstance(understood, Understood)
    _introduce(understood, quiet=quiet)
    fitted = None
    for record in console.progress(
        records, total=understood.num_videos, unit="videos", quiet=quiet
    ):
        if isinstance(record, Failure):
            console.show_failure(record)
        elif isinstance(record, Fitted):
            fitted = record
    assert fitted is not None
    return fitted


def _introduce(understood: "Understood", *, quiet: bool) -> None:
    if quiet:
        return
    console.say(understood.layout)
    counts = zip(understood.classes, understood.counts, strict=True)
    num_classes = counted(len(understood.classes), "class")
    sizes = ", ".join(f"{name} {count}" for name, count in counts)
    console.say(f"{counted(understood.num_videos, 'video')} of {num_classes}: {sizes}")
    if understood.num_missing:
        console.say(f"warning: {counted(understood.num_missing, 'video', be=True)} missing")
    for warning in understood.warnings:
        console.say(f"warning: {warning}")


def _table(fitted: "Fitted", place: str) -> list[str]:
    """What people need to trust a classifier."""
    found, choice = fitted.findings, fitted.choice
    weights = "every class counts the same" if choice.balanced else "every video counts the same"
    lines = [
        f"{'model':14}{place} (on {_seen(fitted)} of {fitted.backbone})",
        f"{'head':14}{choice.setting}; {weights}",
        f"{'videos':14}{fitted.num_videos}, {fitted.num_failed} failed, "
        f"{fitted.num_missing} missing",
        "",
        f"cross-validated, {choice.num_folds} folds",
        f"{'top-1':14}{_share(found.top1, found.top1_interval_95)}",
        f"{'to beat':14}{found.majority:.1%} (always the largest class)",
        f"{'balanced':14}{_share(found.balanced_accuracy, found.balanced_accuracy_interval_95)}",
        f"{'macro-F1':14}{_share(found.macro_f1, found.macro_f1_interval_95)}",
        "",
        *_confusion(fitted),
    ]
    if found.doubtful:
        lines += ["", "most likely labelled wrongly (score of the label, of the other class)"]
    for doubt in found.doubtful:
        scores = f"{doubt.label_score:5.1%} {doubt.predicted_score:5.1%}"
        lines.append(f"  {scores}  {doubt.path}: {doubt.label}, or {doubt.predicted}?")
    return lines + _validation(fitted)


def _seen(fitted: "Fitted") -> str:
    stages = " and ".join(map(str, fitted.head_stages))
    return f"features and stages {stages}" if stages else "features"


def _share(value: float, interval: tuple[float, float]) -> str:
    return f"{value:.1%} (95 %: {interval[0]:.1%} to {interval[1]:.1%})"


MOST_COLUMNS = 12


def _confusion(fitted: "Fitted") -> list[str]:
    """Clips of each class, and what they are taken for where there is room for that."""
    rows = fitted.findings.confusion
    width = min(32, max(map(columns_of, fitted.classes)) + 2)
    room = min(width + 28 + 6 * MOST_COLUMNS, console.width_of(sys.stdout))
    if not rows or width + 28 + 6 * len(rows) > room:
        named = zip(fitted.classes, fitted.counts, strict=True)
        return ["videos of each class", *(f"  {name:{width}}{num:6}" for name, num in named)]
    columns = "".join(f"{index:6}" for index in range(len(rows)))
    lines = [f"      {'class':{width}}{'videos':>7} {columns}   (predicted)"]
    for index, (name, count) in enumerate(zip(fitted.classes, fitted.counts, strict=True)):
        cells = "".join(f"{cell:6}" for cell in rows[index])
        lines.append(f"  {index:3} {name:{width}}{count:7} {cells}")
    return lines


def _validation(fitted: "Fitted") -> list[str]:
    val = fitted.val
    if val is None or val.top1 is None or val.majority is None:
        return []
    low, high = (bound or 0.0 for bound in val.top1_interval_95)
    return [
        "",
        f"on {counted(val.num_evaluated, 'video')} of {val.layout}",
        f"{'top-1':14}{_share(val.top1, (low, high))}",
        f"{'to beat':14}{val.majority:.1%} (always the largest class)",
        f"{'balanced':14}{val.mean_class_accuracy or 0:.1%}",
        f"{'macro-F1':14}{val.macro_f1 or 0:.1%}",
        f"{'details':14}{fitted.folder / 'val'}",
    ]
