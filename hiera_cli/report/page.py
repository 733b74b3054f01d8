"""The report of an evaluation: one HTML page that needs no network and, mostly, no JavaScript."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from hiera_cli.report.plots import calibration_bars, confusion_matrix, split_bar
from hiera_cli.tasks.evaluation.files import most_confused_with
from hiera_cli.tasks.evaluation.metrics import Outcome
from hiera_cli.tasks.evaluation.summary import Account, Summary

MAX_BYTES = 2_000_000
MAX_PAIRS = 12
MAX_LISTED = 200

Strips = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class ConfusedPair:
    """Videos of one class that are taken for another; the surest mistake is the example."""

    label: str
    predicted: str
    count: int
    num_videos: int
    example: Outcome


@dataclass(frozen=True, slots=True)
class ClassRow:
    """A line of the class table."""

    label: str
    num_videos: int
    top1: float
    top5: float
    precision: float | None
    confused_with: str
    num_confused: int


def confused_pairs(account: Account) -> tuple[ConfusedPair, ...]:
    """The most frequent confusions."""
    labels = account.plan.labels
    videos = {c.index: c.num_videos for c in account.metrics.classes}
    surest: dict[tuple[int, int], Outcome] = {}
    for outcome in sorted(account.outcomes, key=lambda o: (-o.confidence, o.path)):
        surest.setdefault((outcome.target, outcome.predicted), outcome)
    return tuple(
        ConfusedPair(labels[pair[0]], labels[pair[1]], count, videos[pair[0]], surest[pair])
        for pair, count in account.metrics.confusions[:MAX_PAIRS]
    )


def class_rows(account: Account) -> tuple[ClassRow, ...]:
    """The classes, the worst first."""
    labels, confused = account.plan.labels, most_confused_with(account)
    rows = []
    for c in sorted(account.metrics.classes, key=lambda c: (c.top1, -c.num_videos, c.index)):
        predicted, count = confused.get(c.index, (None, 0))
        rows.append(
            ClassRow(
                label=labels[c.index],
                num_videos=c.num_videos,
                top1=c.top1,
                top5=c.top5,
                precision=c.precision if c.num_predicted else None,
                confused_with="" if predicted is None else labels[predicted],
                num_confused=count,
            )
        )
    return tuple(rows)


def render_page(
    account: Account,
    summary: Summary,
    *,
    strips: Strips,
    command: str,
    written_at: str,
) -> str:
    """The page as HTML, under 2 MB: pictures are left out when there are too many.

    Args:
        account: what became of every video.
        summary: what was measured.
        strips: pictures of sampled frames as data URIs, by the video's path.
        command: what was typed, to be repeated.
        written_at: date and time.
    """
    for pictures in (strips, {}):
        page = _render(account, summary, pictures, command=command, written_at=written_at)
        if len(page.encode("utf-8", "backslashreplace")) < MAX_BYTES:
            break
    return page


def _render(account: Account, summary: Summary, strips: Strips, **extra: Any) -> str:
    metrics = account.metrics
    return environment().get_template("page.html.j2").render(
        summary=summary,
        account=account,
        metrics=metrics,
        labels=account.plan.labels,
        fate=split_bar(_fates(summary, metrics.num_top1)),
        classes=class_rows(account),
        pairs=confused_pairs(account),
        strips=strips,
        matrix=confusion_matrix(metrics),
        bars=calibration_bars(metrics.calibration),
        max_listed=MAX_LISTED,
        **extra,
    )  # fmt: skip


def _fates(summary: Summary, num_right: int) -> dict[str, int]:
    """How many of the expected videos ended how; every one is counted once."""
    return {
        "right": num_right,
        "wrong": summary.num_evaluated - num_right,
        "failed": summary.num_failed,
        "missing": summary.num_missing,
        "unknown label": summary.num_unknown_label,
    }


def environment() -> Environment:
    """Templates in which everything is escaped unless the template says otherwise."""
    environment = Environment(
        loader=PackageLoader("hiera_cli.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = _percent
    environment.filters["thousands"] = lambda number: f"{number:,}"
    return environment


def _percent(share: float | None, digits: int = 1) -> str:
    """A share in 0..1 in percent; a dash for what was not measured."""
    if share is None or share != share:
        return "–"
    return f"{100 * share:.{digits}f}%"
