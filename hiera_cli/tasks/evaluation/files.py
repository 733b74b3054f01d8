"""The files of an evaluation that programs read: metrics.json, per_class.csv, confusion.csv."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from hiera_cli.tasks.evaluation.summary import Account, Summary

PER_CLASS_COLUMNS = (
    "index", "label", "num_videos", "top1", "top5", "num_predicted", "precision", "confused_with",
)  # fmt: skip


def metrics_json(summary: Summary) -> str:
    """The summary as JSON; what was not measured is null."""
    return json.dumps(asdict(summary), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def per_class_csv(account: Account) -> str:
    """A row for each class that has an evaluated video, in the model's order."""
    labels = account.plan.labels
    confused = most_confused_with(account)
    return _csv(
        PER_CLASS_COLUMNS,
        (
            (
                c.index, labels[c.index], c.num_videos, f"{c.top1:.6f}", f"{c.top5:.6f}",
                c.num_predicted, f"{c.precision:.6f}" if c.num_predicted else "",
                labels[confused[c.index][0]] if c.index in confused else "",
            )
            for c in account.metrics.classes
        ),
    )  # fmt: skip


def confusion_csv(account: Account) -> str:
    """The confusion matrix: a row for each class that has a video, a column for each predicted.

    Columns are the classes of the rows and those that were predicted, in the model's order.
    """
    metrics, labels = account.metrics, account.plan.labels
    counts = {(c.index, c.index): c.num_top1 for c in metrics.classes} | dict(metrics.confusions)
    rows = [c.index for c in metrics.classes]
    columns = sorted({index for pair in counts for index in pair})
    return _csv(
        ["label", *(labels[index] for index in columns)],
        ([labels[row], *(counts.get((row, column), 0) for column in columns)] for row in rows),
    )


def most_confused_with(account: Account) -> dict[int, tuple[int, int]]:
    """For each class with errors, the class it is taken for most often, and how often."""
    found: dict[int, tuple[int, int]] = {}
    for (target, predicted), count in account.metrics.confusions:
        found.setdefault(target, (predicted, count))
    return found


def _csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
