"""The page about a data set: one HTML file that needs no network and no JavaScript."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from hiera_cli.files import write_bytes
from hiera_cli.report.page import environment
from hiera_cli.report.thumbnails import film_strips
from hiera_cli.tasks.dataset.summary import DatasetReport
from hiera_cli.tasks.dataset.survey import FileFacts
from hiera_cli.video.info import DEFAULT_LIMITS
from hiera_cli.video.protocols import make_protocol

MAX_STRIPS, MAX_LISTED, NUM_BINS = 24, 200, 20


@dataclass(frozen=True, slots=True)
class Bin:
    """A bar of a histogram: where it lies in 0..1, how high it is in 0..1, and what it counts."""

    left: float
    width: float
    height: float
    low: float
    high: float
    count: int


def write_page(
    report: DatasetReport, facts: Sequence[FileFacts], path: Path, *, command: str
) -> None:
    """Write the page.

    Args:
        report: what is known about the data set.
        facts: about its files, for the pictures and the histogram.
        path: of the page.
        command: what was typed.

    Raises:
        OutputError: it cannot be written.
    """
    template = environment().get_template("dataset.html.j2")
    seconds = [fact.duration_seconds for fact in facts if fact.duration_seconds]
    page = template.render(
        report=report,
        largest=max(c.num_files for c in report.classes),
        strips=_strips(facts),
        bins=histogram(seconds),
        max_listed=MAX_LISTED,
        command=command,
        written_at=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    )
    write_bytes(path, page.encode("utf-8", "backslashreplace"))


def histogram(values: Sequence[float]) -> tuple[Bin, ...]:
    """Values in bins of equal width, empty ones left out; one bin where all are equal."""
    if not values:
        return ()
    num_bins = NUM_BINS if max(values) > min(values) else 1
    counts, edges = np.histogram(values, bins=num_bins)
    return tuple(
        Bin(
            left=index / num_bins,
            width=1 / num_bins,
            height=float(count / counts.max()),
            low=float(edges[index]),
            high=float(edges[index + 1]),
            count=int(count),
        )
        for index, count in enumerate(counts)
        if count
    )


def _strips(facts: Iterable[FileFacts]) -> dict[str, tuple[str, ...]]:
    """Frames of the first file of each class, as data URIs, for the first classes."""
    first: dict[str, str] = {}
    for fact in facts:
        path = fact.sample.path or ""
        if len(first) < MAX_STRIPS:
            first.setdefault(fact.sample.label, path)
    return film_strips(first, make_protocol("fast"), limits=DEFAULT_LIMITS)
