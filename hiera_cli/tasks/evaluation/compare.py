"""Two evaluations of the same videos: which model is better, and whether that may be chance."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from hiera_cli.errors import UsageError
from hiera_cli.tables import read_metadata, read_rows

NUM_DRAWS = 10_000
PREDICTIONS = "predictions.parquet"


@dataclass(frozen=True, slots=True)
class Change:
    """A video that one model gets right and the other does not."""

    path: str
    label: str
    predicted_a: str
    predicted_b: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two tables of predictions say about the videos that both hold. Shares are in 0..1.

    Attributes:
        a, b: the tables.
        model_a, model_b: what made them.
        num_both: videos that are judged in both.
        num_only_a, num_only_b: videos that one of them lacks; they count nowhere.
        top1_a, top1_b: over the videos in both.
        difference: top1_a - top1_b.
        difference_interval_95: percentiles over draws of the videos with replacement.
        mcnemar_p: how probable it is that won and lost differ as much if both are equally good
            (McNemar's exact test, two-sided).
        won: videos that A gets right and B does not.
        lost: videos that B gets right and A does not.
    """

    a: str
    b: str
    model_a: str
    model_b: str
    num_both: int
    num_only_a: int
    num_only_b: int
    top1_a: float
    top1_b: float
    difference: float
    difference_interval_95: tuple[float, float]
    mcnemar_p: float
    won: tuple[Change, ...]
    lost: tuple[Change, ...]


def compare_predictions(a: str | Path, b: str | Path, *, seed: int = 0) -> Comparison:
    """Compare two `predictions.parquet`, or the folders that `eval` wrote them into.

    Args:
        a: the first one.
        b: the one that it is compared with.
        seed: of the draws.

    Raises:
        UsageError: no such table, none of predictions, no video in common, or videos whose labels
            are not the same in both.
    """
    place_a, place_b = _table(a), _table(b)
    rows_a, rows_b = _read(place_a), _read(place_b)
    both = [path for path in rows_a if path in rows_b]
    if not both:
        raise UsageError(
            f"{place_a} and {place_b} have no video in common",
            hint="compare evaluations of the same data set",
        )
    _check_labels(rows_a, rows_b, both)
    right_a, right_b = ([rows[path].is_right for path in both] for rows in (rows_a, rows_b))
    changes = [
        Change(path, rows_a[path].label, rows_a[path].predicted, rows_b[path].predicted)
        for path in both
    ]
    pairs = list(zip(changes, right_a, right_b, strict=True))
    won = tuple(change for change, here, there in pairs if here and not there)
    lost = tuple(change for change, here, there in pairs if there and not here)
    return Comparison(
        a=str(place_a),
        b=str(place_b),
        model_a=str(read_metadata(place_a).get("model", "")),
        model_b=str(read_metadata(place_b).get("model", "")),
        num_both=len(both),
        num_only_a=len(rows_a) - len(both),
        num_only_b=len(rows_b) - len(both),
        top1_a=sum(right_a) / len(both),
        top1_b=sum(right_b) / len(both),
        difference=(len(won) - len(lost)) / len(both),
        difference_interval_95=_interval(len(won), len(lost), len(both), seed=seed),
        mcnemar_p=mcnemar(len(won), len(lost)),
        won=won,
        lost=lost,
    )


def mcnemar(num_won: int, num_lost: int) -> float:
    """The exact two-sided p of so many videos won and lost, if either is as likely."""
    num, fewer = num_won + num_lost, min(num_won, num_lost)
    tail = sum(math.comb(num, k) for k in range(fewer + 1))  # whole numbers: exact
    return min(1.0, float(Fraction(2 * tail, 1 << num)))


def _interval(num_won: int, num_lost: int, num: int, *, seed: int) -> tuple[float, float]:
    shares = np.array([num_won, num_lost, num - num_won - num_lost]) / num
    drawn = np.random.default_rng(seed).multinomial(num, shares, size=NUM_DRAWS)
    low, high = np.percentile((drawn[:, 0] - drawn[:, 1]) / num, [2.5, 97.5])
    return float(low), float(high)


@dataclass(frozen=True, slots=True)
class _Answer:
    label: str
    predicted: str
    is_right: bool


def _table(place: str | Path) -> Path:
    path = Path(place)
    return path / PREDICTIONS if (path / PREDICTIONS).exists() else path


def _read(table: Path) -> dict[str, _Answer]:
    """What a table says about each video."""
    if not isinstance(read_metadata(table).get("labels"), list):
        hint = "give the predictions.parquet that eval wrote, or its folder"
        raise UsageError(f"{table} holds no predictions", hint=hint)
    columns = ["path", "label", "predicted", "target_index", "predicted_index"]
    found = {}
    for rows in read_rows(table, columns=columns):
        for path, label, predicted, target, index in zip(*rows.values(), strict=True):
            found[str(path)] = _Answer(str(label), str(predicted), bool(target == index))
    return found


def _check_labels(a: Mapping[str, _Answer], b: Mapping[str, _Answer], both: list[str]) -> None:
    other = [path for path in both if a[path].label != b[path].label]
    if other:
        first = other[0]
        raise UsageError(
            f"{len(other)} videos have another label in the second table: '{first}' is "
            f"'{a[first].label}' here and '{b[first].label}' there",
            hint="evaluate both on the same labels; eval --rescore judges old scores anew",
        )
