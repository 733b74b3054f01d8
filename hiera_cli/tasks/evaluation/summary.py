"""The account of an evaluation: what became of every promised video, and the keys of metrics.json.

It is drawn up from the table of predictions and the list of failures alone.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from hiera_cli.checkpoints.labels import known_labels
from hiera_cli.checkpoints.zoo import find_checkpoint
from hiera_cli.datasets.class_names import normalise_label
from hiera_cli.errors import Failure, UsageError
from hiera_cli.tables import read_metadata, read_rows
from hiera_cli.tables.failures import read_failures
from hiera_cli.tasks.evaluation.metrics import Metrics, Outcome, judge, measure
from hiera_cli.tasks.evaluation.predict import EvaluationPlan, key_of


@dataclass(frozen=True, eq=False, slots=True)
class Account:
    """Every expected video, exactly once: judged, failed, missing, or with an unknown label.

    Attributes:
        plan: what was expected.
        settings: what the predictions were made with, as the table says.
        outcomes: the judged videos, in the table's order.
        failures: the videos that gave no result, sorted by path.
        missing: keys of the videos that are not there, in the order of the data set.
        unknown: keys of the videos whose label the model does not have.
        damaged: what was wrong with videos that could be used, by key.
        num_relabelled: judged videos whose label was another when the table was written.
        metrics: over the outcomes.
    """

    plan: EvaluationPlan
    settings: Mapping[str, Any]
    outcomes: tuple[Outcome, ...]
    failures: tuple[Failure, ...]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    damaged: Mapping[str, str]
    num_relabelled: int
    metrics: Metrics


def read_labels_of(predictions: Path) -> tuple[str, ...]:
    """The class names that the scores in a table belong to.

    Raises:
        UsageError: no such table, or not one of predictions.
    """
    labels = read_metadata(predictions).get("labels")
    if not isinstance(labels, list):
        hint = "give the predictions.parquet that eval wrote"
        raise UsageError(f"{predictions} holds no predictions", hint=hint)
    return tuple(str(label) for label in labels)


def account_for(predictions: Path, plan: EvaluationPlan) -> Account:
    """Judge the scores in a table by the labels of the data set, and account for the rest.

    Args:
        predictions: the table that `evaluate` filled; its list of failures lies beside it.
        plan: over the same class names.

    Raises:
        UsageError: no such table, or one over other classes.
    """
    if read_labels_of(predictions) != plan.labels:
        raise UsageError(f"{predictions} holds predictions over other classes")
    targets = plan.targets
    outcomes: dict[str, Outcome] = {}
    damaged: dict[str, str] = {}
    num_relabelled = 0
    for rows in read_rows(predictions, columns=["path", "target_index", "scores", "warnings"]):
        for path, old_target, scores, warnings in zip(*rows.values(), strict=True):
            key = _key_in(targets, path)
            if key is not None:
                outcomes[key] = judge(path, targets[key], scores)
                num_relabelled += int(old_target != targets[key])
                if warnings:
                    damaged[path] = warnings
    listed = read_failures(predictions.with_name(predictions.name + ".errors.jsonl"))
    failures = {key: listed[key] for key in sorted(listed) if key in targets.keys() - outcomes}
    gone = [key for key in targets if key not in outcomes and key not in failures]
    return Account(
        plan=plan,
        settings=read_metadata(predictions),
        outcomes=tuple(outcomes.values()),
        failures=tuple(failures.values()),
        missing=tuple(gone),
        unknown=tuple(key for key in map(key_of, plan.expected) if key not in targets),
        damaged=damaged,
        num_relabelled=num_relabelled,
        metrics=measure(tuple(outcomes.values())),
    )


def _key_in(targets: Mapping[str, int], path: str) -> str | None:
    """The planned video that a row belongs to; a missing Kinetics clip is named by its stem."""
    stem = PurePath(path).stem
    return path if path in targets else stem if stem in targets else None


# ------------------------------------------------------------------------------- metrics.json


@dataclass(frozen=True, slots=True)
class Summary:
    """The keys of `metrics.json`. Shares are in 0..1; None where nothing was measured.

    Attributes:
        num_expected: videos that the data set promises; it is the sum of the next four.
        num_evaluated: with a prediction.
        num_missing: not there.
        num_failed: there, but not readable.
        num_unknown_label: with a label that the model does not have.
        num_damaged: of the evaluated ones, those with something wrong.
        num_duplicates: repeated rows of the data set, left out.
        top1_of_expected: top-1 if every video without a prediction counts as wrong.
        mean_class_accuracy: mean over the classes of their top-1, also called balanced accuracy.
        macro_f1: mean over the classes of F1.
        majority: what "always the largest class" would get right.
        top1_interval_95: Wilson score interval of top1.
        published_top1, gap: the zoo's figure for these weights on this data set, and how far
            top1 is above it; None where there is none.
    """

    top1: float | None
    top5: float | None
    mean_class_accuracy: float | None
    macro_f1: float | None
    majority: float | None
    top1_interval_95: tuple[float | None, float | None]
    top1_of_expected: float | None
    top5_of_expected: float | None
    num_expected: int
    num_evaluated: int
    num_missing: int
    num_failed: int
    num_unknown_label: int
    num_damaged: int
    num_duplicates: int
    failures_by_kind: Mapping[str, int]
    unknown_labels: tuple[str, ...]
    calibration_error: float | None
    published_top1: float | None
    gap: float | None
    model: str
    checkpoint: str
    weights_sha256: str
    backend: str
    protocol: Mapping[str, Any]
    preprocessing: Mapping[str, Any]
    dataset: str
    layout: str
    labels_matched: str
    split: str
    num_classes: int
    limit: int | None
    seed: int | None
    versions: Mapping[str, str]
    warnings: tuple[str, ...]


def summarise(account: Account, *, dataset: str) -> Summary:
    """State what was measured, over how many videos, and with what.

    Args:
        account: what became of every video.
        dataset: where the data set is.
    """
    plan, metrics, settings = account.plan, account.metrics, account.settings
    num_expected = len(plan.expected)
    published = published_top1(plan, settings)
    return Summary(
        top1=_number(metrics.top1),
        top5=_number(metrics.top5),
        mean_class_accuracy=_number(metrics.mean_class_accuracy),
        macro_f1=_number(metrics.macro_f1),
        majority=_number(metrics.majority),
        top1_interval_95=(_number(metrics.top1_interval[0]), _number(metrics.top1_interval[1])),
        top1_of_expected=metrics.num_top1 / num_expected,
        top5_of_expected=metrics.num_top5 / num_expected,
        num_expected=num_expected,
        num_evaluated=metrics.num_evaluated,
        num_missing=len(account.missing),
        num_failed=len(account.failures),
        num_unknown_label=len(account.unknown),
        num_damaged=len(account.damaged),
        num_duplicates=plan.dataset.num_duplicates,
        failures_by_kind=dict(sorted(Counter(f.kind for f in account.failures).items())),
        unknown_labels=plan.match.unknown,
        calibration_error=_number(metrics.calibration_error),
        published_top1=published,
        gap=None if published is None else _number(metrics.top1 - published),
        model=settings["model"],
        checkpoint=settings["checkpoint"],
        weights_sha256=settings["weights_sha256"],
        backend=settings["backend"],
        protocol=settings["protocol"],
        preprocessing=settings["preprocessing"],
        dataset=dataset,
        layout=plan.dataset.layout,
        labels_matched=plan.match.how,
        split=plan.dataset.split,
        num_classes=len(plan.labels),
        limit=plan.limit,
        seed=None if plan.limit is None else plan.seed,
        versions=settings["versions"],
        warnings=(*plan.dataset.warnings, *_relabelled(account.num_relabelled)),
    )


def published_top1(plan: EvaluationPlan, settings: Mapping[str, Any]) -> float | None:
    """The paper's figure, in 0..1, for official weights on the whole data set it was given for.

    That is the validation split of Kinetics-400 or ImageNet-1k, recognised by its class names.
    """
    try:
        found = find_checkpoint(settings["model"], settings["checkpoint"])
    except UsageError:
        return None
    if found is None or found[1].top1 is None or plan.dataset.split != "val":
        return None
    official = known_labels(found[1].labels, len(plan.labels))
    same = set(map(normalise_label, official)) == set(map(normalise_label, plan.labels))
    complete = set(plan.match.index_of.values()) == set(range(len(official)))
    return found[1].top1 / 100 if same and complete and plan.limit is None else None


def _relabelled(number: int) -> Sequence[str]:
    if not number:
        return ()
    return (f"{number} videos have another label now than when predictions.parquet was written",)


def _number(value: float) -> float | None:
    return None if value != value else value  # nan: nothing was measured
