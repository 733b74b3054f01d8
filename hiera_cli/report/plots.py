"""Geometry of the report's drawings: numbers to coordinates; the templates draw them as SVG."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hiera_cli.tasks.evaluation.metrics import CalibrationBin, Metrics

MAX_MATRIX_CLASSES = 24


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar: what it stands for, how many, and where it lies, in percent."""

    name: str
    count: int
    start_percent: float
    width_percent: float


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the confusion matrix: its place, its count and its share of the row in 0..1."""

    row: int
    column: int
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class Matrix:
    """A confusion matrix, or the part of it where most errors are.

    Attributes:
        classes: class indices of rows and columns.
        cells: the cells that are not empty.
        num_others: classes that are left out.
    """

    classes: tuple[int, ...]
    cells: tuple[Cell, ...]
    num_others: int


@dataclass(frozen=True, slots=True)
class CalibrationBar:
    """A bin of the reliability diagram in a unit square, y upwards; `weight` is its share."""

    left: float
    width: float
    accuracy: float
    confidence: float
    weight: float
    num_videos: int


def split_bar(counts: Mapping[str, int]) -> tuple[Segment, ...]:
    """Counts as adjoining parts of one bar; empty ones are left out."""
    total = sum(counts.values())
    segments, start = [], 0.0
    for name, count in counts.items():
        if count:
            width = 100 * count / total
            segments.append(Segment(name, count, start, width))
            start += width
    return tuple(segments)


def confusion_matrix(metrics: Metrics) -> Matrix:
    """The counts of (true, predicted) among the classes that take part in most errors."""
    chosen = sorted(_most_confused(metrics))
    place = {index: position for position, index in enumerate(chosen)}
    counts = {(c.index, c.index): c.num_top1 for c in metrics.classes if c.num_top1}
    counts |= dict(metrics.confusions)
    videos = {c.index: c.num_videos for c in metrics.classes}
    cells = tuple(
        Cell(place[target], place[predicted], count, count / videos[target])
        for (target, predicted), count in sorted(counts.items())
        if target in place and predicted in place
    )
    return Matrix(tuple(chosen), cells, len(_involved(metrics)) - len(chosen))


def _involved(metrics: Metrics) -> set[int]:
    """Classes that are true or predicted somewhere."""
    wrong = {index for pair, _ in metrics.confusions for index in pair}
    return wrong | {c.index for c in metrics.classes}


def _most_confused(metrics: Metrics) -> Sequence[int]:
    errors = dict.fromkeys(sorted(_involved(metrics)), 0)
    for pair, count in metrics.confusions:
        for index in pair:
            errors[index] += count
    return sorted(errors, key=lambda index: (-errors[index], index))[:MAX_MATRIX_CLASSES]


def calibration_bars(bins: Sequence[CalibrationBin]) -> tuple[CalibrationBar, ...]:
    """The bins of the reliability diagram."""
    total = sum(b.num_videos for b in bins)
    return tuple(
        CalibrationBar(
            left=b.low,
            width=b.high - b.low,
            accuracy=b.accuracy,
            confidence=b.mean_confidence,
            weight=b.num_videos / total,
            num_videos=b.num_videos,
        )
        for b in bins
    )
