"""Frame mAP at IoU 0.5: the metric of AVA (ActivityNet's `PascalBoxes_Precision/mAP@0.5IOU`).

Of the detections of one class in one key frame, the best first, each counts as right when the true
box of that class that it overlaps most is overlapped by half and not found before. Average
precision is the area under the precision-recall curve, precision made to fall; the mean is over
the classes that have a true box.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hiera_cli.datasets.ava import Moment

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

MIN_IOU = 0.5


@dataclass(frozen=True, eq=False, slots=True)
class FrameBoxes:
    """Labelled boxes of many key frames, a row a label.

    Attributes:
        moments: key frame of each row.
        corners: (N, 4) x1, y1, x2, y2, in any unit.
        labels: (N,) class ids.
        scores: (N,); of no meaning for true boxes.
    """

    moments: Sequence[Moment]
    corners: Floats
    labels: Integers
    scores: Floats

    def __post_init__(self) -> None:
        """Refuse rows that do not belong together, and NaN."""
        num = len(self.moments)
        if not (self.corners.shape == (num, 4) and len(self.labels) == len(self.scores) == num):
            raise ValueError("moments, corners, labels and scores differ in length")
        if not (np.isfinite(self.corners).all() and np.isfinite(self.scores).all()):
            raise ValueError("corners and scores must be finite")


@dataclass(frozen=True, slots=True)
class FrameMap:
    """The metric.

    Attributes:
        mean_ap: over the classes that have a true box, in 0..1; None when none has.
        per_class: average precision by class id; None where there is no true box.
        num_true: true boxes by class id.
        num_excluded: rows of both sides that the excluded key frames took away.
        num_other: rows of both sides with a class that is not evaluated.
    """

    mean_ap: float | None
    per_class: dict[int, float | None]
    num_true: dict[int, int]
    num_excluded: int
    num_other: int


def frame_map(
    truth: FrameBoxes,
    found: FrameBoxes,
    *,
    classes: Sequence[int],
    excluded: Collection[Moment] = (),
) -> FrameMap:
    """The metric of what was found.

    Args:
        truth: the true boxes.
        found: detections with scores.
        classes: ids that are evaluated (60 of AVA's 80).
        excluded: key frames left out on both sides.
    """
    wanted = set(classes)
    true_rows, true_out, true_other = _kept_rows(truth, wanted, excluded)
    found_rows, found_out, found_other = _kept_rows(found, wanted, excluded)
    right = _right_detections(truth, found, true_rows, found_rows)
    labels, scores = found.labels[found_rows], found.scores[found_rows]
    num_true = {c: int((truth.labels[true_rows] == c).sum()) for c in classes}
    per_class = {
        c: average_precision(scores[labels == c], right[labels == c], num_true[c])
        if num_true[c]
        else None
        for c in classes
    }
    known = [value for value in per_class.values() if value is not None]
    return FrameMap(
        mean_ap=float(np.mean(known)) if known else None,
        per_class=per_class,
        num_true=num_true,
        num_excluded=true_out + found_out,
        num_other=true_other + found_other,
    )


def average_precision(scores: Floats, right: npt.NDArray[np.bool_], num_true: int) -> float:
    """The area under the precision-recall curve, as PASCAL VOC takes it since 2010.

    Args:
        scores: (N,) of the detections of one class.
        right: (N,) whether each is one.
        num_true: how many there are to find, at least 1.
    """
    hits = right[np.argsort(-scores, kind="stable")]
    found = np.cumsum(hits)
    precision = found / np.arange(1, len(hits) + 1)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    return float(falling[hits].sum() / num_true)


def iou_matrix(a: Floats, b: Floats) -> Floats:
    """Intersection over union of every box of (N, 4) with every one of (M, 4): (N, M)."""
    top_left = np.maximum(a[:, None, :2], b[None, :, :2])
    bottom_right = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(bottom_right - top_left, 0, None).prod(-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(-1) for boxes in (a, b)]
    union = areas[0][:, None] + areas[1][None] - shared
    out = np.zeros((len(a), len(b)))
    np.divide(shared, union, out=out, where=union > 0)
    return out


def _kept_rows(
    boxes: FrameBoxes, classes: set[int], excluded: Collection[Moment]
) -> tuple[Integers, int, int]:
    """Rows that are evaluated, how many key frames took away, and how many classes."""
    inside = np.array([moment not in excluded for moment in boxes.moments], dtype=bool)
    known = np.isin(boxes.labels, list(classes))
    rows = np.flatnonzero(inside & known).astype(np.int64)
    return rows, int((~inside).sum()), int((inside & ~known).sum())


def _right_detections(
    truth: FrameBoxes, found: FrameBoxes, true_rows: Integers, found_rows: Integers
) -> npt.NDArray[np.bool_]:
    """For each of `found_rows`, whether it is the first to find its true box."""
    true_at, found_at = _by_moment(truth, true_rows), _by_moment(found, found_rows)
    right = np.zeros(len(found.moments), dtype=bool)
    for moment, rows in found_at.items():
        if moment in true_at:
            right[_winners(truth, found, true_at[moment], rows)] = True
    return right[found_rows]


def _by_moment(boxes: FrameBoxes, rows: Integers) -> dict[Moment, Integers]:
    groups: dict[Moment, list[int]] = {}
    for row in rows.tolist():
        groups.setdefault(boxes.moments[row], []).append(row)
    return {moment: np.array(group, dtype=np.int64) for moment, group in groups.items()}


def _winners(truth: FrameBoxes, found: FrameBoxes, trues: Integers, rows: Integers) -> Integers:
    """The rows of one key frame that find a true box first."""
    rows = rows[np.argsort(-found.scores[rows], kind="stable")]
    overlap = iou_matrix(found.corners[rows], truth.corners[trues])
    overlap[found.labels[rows][:, None] != truth.labels[trues][None]] = -1
    best = overlap.argmax(1)
    good = np.flatnonzero(overlap.max(1) >= MIN_IOU)
    _, first = np.unique(best[good], return_index=True)
    winners: Integers = rows[good[first]]
    return winners
