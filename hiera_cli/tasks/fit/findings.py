"""What cross-validation says about a head: figures with intervals, confusions, doubtful labels."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hiera_cli.heads.examples import Examples
from hiera_cli.tasks.evaluation.metrics import wilson_interval

NUM_DRAWS = 1000
NUM_DOUBTFUL = 10
DECIDED = 0.5
Floats = npt.NDArray[np.float64]
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Doubt:
    """A video that looks more like another class than like its label.

    Attributes:
        path: the video.
        label: what it is labelled as; of several, the least likely one.
        predicted: what held-out scores say.
        label_score, predicted_score: these scores, in 0..1.
    """

    path: str
    label: str
    predicted: str
    label_score: float
    predicted_score: float


@dataclass(frozen=True, slots=True)
class Findings:
    """What held-out scores say. Shares are in 0..1; intervals are of 95 %.

    Attributes:
        top1: share of videos whose most probable class is one of theirs.
        balanced_accuracy: mean over the classes of the share that is recognised; multi-label: of
            the mean of the shares of those that have it and those that have not.
        macro_f1: mean over the classes of F1.
        majority: share that "always the largest class" gets right.
        confusion: a row for each true class, a column for each predicted one; none where a video
            has several.
        doubtful: the likeliest to be labelled wrongly, first.
    """

    top1: float
    balanced_accuracy: float
    macro_f1: float
    top1_interval_95: Interval
    balanced_accuracy_interval_95: Interval
    macro_f1_interval_95: Interval
    majority: float
    confusion: tuple[tuple[int, ...], ...]
    doubtful: tuple[Doubt, ...]


def find(examples: Examples, scores: Floats, *, multi_label: bool, seed: int) -> Findings:
    """Judge scores (N, K) of videos that were held out.

    Intervals: Wilson's for top-1 of independent videos; else percentiles over draws of videos,
    or of whole groups, with replacement.
    """
    targets = examples.targets.numpy()
    answers = scores > DECIDED if multi_label else _one_hot(scores.argmax(1), scores.shape[1])
    tally = np.stack([targets * answers, targets, answers.astype(np.float64)])  # (3, N, K)
    right = targets[np.arange(len(scores)), scores.argmax(1)]
    draws = _draws(examples, seed)
    sizes = draws.sum(1)
    drawn = np.stack([draws @ part for part in tally])  # (3, draws, K)
    top1s = (draws @ right) / sizes
    predicted = scores.argmax(1)
    return Findings(
        top1=float(right.mean()),
        balanced_accuracy=float(_balanced(tally.sum(1), len(scores), multi_label=multi_label)),
        macro_f1=float(_macro_f1(tally.sum(1))),
        top1_interval_95=_percentiles(top1s)
        if examples.is_grouped
        else wilson_interval(int(right.sum()), len(right)),
        balanced_accuracy_interval_95=_percentiles(
            _balanced(drawn, sizes, multi_label=multi_label)
        ),
        macro_f1_interval_95=_percentiles(_macro_f1(drawn)),
        majority=float(targets.mean(0).max()),
        confusion=() if multi_label else _confusion(targets.argmax(1), predicted, targets.shape[1]),
        doubtful=_doubtful(examples, scores),
    )


def _draws(examples: Examples, seed: int) -> Floats:
    """How often each video is drawn, (draws, N): groups as a whole."""
    _, inverse = np.unique(examples.groups, return_inverse=True)
    num_groups = int(inverse.max()) + 1
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(num_groups, np.full(num_groups, 1 / num_groups), size=NUM_DRAWS)
    return drawn[:, inverse].astype(np.float64)


def _balanced(
    tally: Floats, num_videos: npt.ArrayLike, *, multi_label: bool
) -> npt.NDArray[np.float64]:
    """From hits, true and predicted counts (3, ..., K) to the mean accuracy of a class, (...)."""
    hits, true, predicted = tally
    with np.errstate(invalid="ignore"):
        recall = hits / true
        if multi_label:
            others = np.asarray(num_videos)[..., None] - true
            recall = (recall + (others - (predicted - hits)) / others) / 2
    return _mean_of_present(recall)


def _macro_f1(tally: Floats) -> Floats:
    """From hits, true and predicted counts (3, ..., K) to the mean F1 of a class, (...)."""
    hits, true, predicted = tally
    with np.errstate(invalid="ignore"):
        return _mean_of_present(2 * hits / (true + predicted))


def _mean_of_present(values: Floats) -> Floats:
    """Mean over the last axis of what is not nan; a draw may lack a class."""
    present = np.isfinite(values)
    total = np.where(present, values, 0.0).sum(-1)
    return np.asarray(total / np.maximum(present.sum(-1), 1))


def _percentiles(values: Floats) -> Interval:
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def _one_hot(indices: npt.NDArray[np.int64], num_classes: int) -> Floats:
    return np.eye(num_classes)[indices]


def _confusion(
    true: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64], num_classes: int
) -> tuple[tuple[int, ...], ...]:
    matrix = np.zeros((num_classes, num_classes), dtype=np.int64)
    np.add.at(matrix, (true, predicted), 1)
    return tuple(tuple(map(int, row)) for row in matrix)


def _doubtful(examples: Examples, scores: Floats) -> tuple[Doubt, ...]:
    """Wrong answers whose label has the lowest score, first."""
    targets = examples.targets.numpy()
    predicted = scores.argmax(1)
    labelled = np.where(targets > 0, scores, np.inf).argmin(1)
    rows = np.arange(len(scores))
    wrong = np.flatnonzero((targets[rows, predicted] == 0) & (targets.sum(1) > 0))
    order = wrong[np.argsort(scores[wrong, labelled[wrong]], kind="stable")]
    return tuple(
        Doubt(
            examples.names[row],
            examples.classes[labelled[row]],
            examples.classes[predicted[row]],
            float(scores[row, labelled[row]]),
            float(scores[row, predicted[row]]),
        )
        for row in order[:NUM_DOUBTFUL]
    )
