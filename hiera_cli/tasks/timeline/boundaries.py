"""How far the changes of label that were found lie from those that are annotated."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

NEAR_SECONDS = 0.6
FARTHEST_SECONDS = 64 / 30  # one window: what lies farther away is another change
Times = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BoundaryScore:
    """How far boundaries lie from annotated ones; each counts once, nearest pairs first.

    Attributes:
        num: annotated boundaries.
        num_missed: those without a boundary within one window (64/30 s).
        num_extra: boundaries that belong to none.
        within_0_6_seconds: share of the annotated ones with a boundary so near.
        median_seconds, worst_seconds: distance of those that were found; None if there is none.
    """

    num: int
    num_missed: int
    num_extra: int
    within_0_6_seconds: float
    median_seconds: float | None
    worst_seconds: float | None


def score_boundaries(videos: Sequence[tuple[Times, Times]]) -> BoundaryScore:
    """Compare the boundaries found in each video (M,) with its annotated ones (N,)."""
    pairs = [pair_boundaries(found, annotated) for found, annotated in videos]
    distances = np.concatenate([np.zeros(0), *pairs])
    num = sum(len(annotated) for _, annotated in videos)
    return BoundaryScore(
        num=num,
        num_missed=num - len(distances),
        num_extra=sum(len(found) for found, _ in videos) - len(distances),
        within_0_6_seconds=float((distances <= NEAR_SECONDS).sum() / num) if num else 0.0,
        median_seconds=float(np.median(distances)) if len(distances) else None,
        worst_seconds=float(distances.max()) if len(distances) else None,
    )


def pair_boundaries(found: Times, annotated: Times) -> Times:
    """Distances of the pairs of (M,) and (N,) times, none used twice, the nearest taken first."""
    apart = np.abs(found[:, None] - annotated[None, :])
    distances = []
    while apart.size and apart.min() <= FARTHEST_SECONDS:
        row, column = np.unravel_index(apart.argmin(), apart.shape)
        distances.append(float(apart[row, column]))
        apart[row], apart[:, column] = np.inf, np.inf
    return np.array(distances)
