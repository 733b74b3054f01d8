"""Accuracy over judged videos: arithmetic on class indices and ranks, no model and no files."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

TOP_K = 5
NUM_CALIBRATION_BINS = 15
_Z_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a model judged one video.

    Attributes:
        path: the video's name in the data set.
        target: index of the true class.
        predicted: index of the most probable class; the lowest of equal ones.
        target_rank: place of the true class, from 1; equal scores in order of their index.
        confidence: score of the predicted class, in 0..1.
    """

    path: str
    target: int
    predicted: int
    target_rank: int
    confidence: float

    @property
    def is_correct(self) -> bool:
        """Whether the most probable class is the true one."""
        return self.target_rank == 1


@dataclass(frozen=True, slots=True)
class ClassAccuracy:
    """One class of the data set: its videos, how many were right, how often it was predicted."""

    index: int
    num_videos: int
    num_top1: int
    num_top5: int
    num_predicted: int

    @property
    def top1(self) -> float:
        """Share of the class's videos that were recognised."""
        return self.num_top1 / self.num_videos

    @property
    def top5(self) -> float:
        """Share of the class's videos with the class among the first five."""
        return self.num_top5 / self.num_videos

    @property
    def precision(self) -> float:
        """Share of right ones among the videos said to be of this class; nan if there are none."""
        return self.num_top1 / self.num_predicted if self.num_predicted else float("nan")


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Videos whose confidence lies in (low, high]: how many, how sure, how often right."""

    low: float
    high: float
    num_videos: int
    mean_confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Metrics:
    """What was measured over the evaluated videos; shares in 0..1, nan where there are none.

    Attributes:
        num_evaluated: videos with a prediction.
        num_top1, num_top5: of these, how many were right.
        mean_class_accuracy: mean over the data set's classes of their top-1: balanced accuracy.
        macro_f1: mean of F1 over the classes that occur or are predicted, as scikit-learn has it.
        majority: share of the largest class: what "always the largest class" gets right.
        top1_interval: 95 % Wilson score interval of the top-1 share.
        classes: every class that has an evaluated video, by index.
        confusions: (target, predicted) of the wrong ones with their number, most frequent first.
        calibration: the bins that hold videos.
        calibration_error: mean distance of confidence and accuracy over the bins, weighted.
    """

    num_evaluated: int
    num_top1: int
    num_top5: int
    mean_class_accuracy: float
    macro_f1: float
    majority: float
    top1_interval: tuple[float, float]
    classes: tuple[ClassAccuracy, ...]
    confusions: tuple[tuple[tuple[int, int], int], ...]
    calibration: tuple[CalibrationBin, ...]
    calibration_error: float

    @property
    def top1(self) -> float:
        """Share of evaluated videos whose most probable class is right."""
        return _share(self.num_top1, self.num_evaluated)

    @property
    def top5(self) -> float:
        """Share of evaluated videos with the right class among the first five."""
        return _share(self.num_top5, self.num_evaluated)


def judge(path: str, target: int, scores: npt.NDArray[np.floating]) -> Outcome:
    """Compare a video's scores (K,) with its true class.

    Raises:
        ValueError: a score is not a number, or the target is no class.
    """
    if not np.isfinite(scores).all():
        raise ValueError("the model's scores are not numbers")
    if not 0 <= target < len(scores):
        raise ValueError(f"class {target} is not one of {len(scores)}")
    predicted = int(scores.argmax())
    better = (scores > scores[target]).sum() + (scores[:target] == scores[target]).sum()
    return Outcome(path, target, predicted, int(better) + 1, float(scores[predicted]))


def measure(outcomes: Sequence[Outcome]) -> Metrics:
    """All metrics of the judged videos."""
    num_top1 = sum(outcome.is_correct for outcome in outcomes)
    classes = _measure_classes(outcomes)
    bins = _calibrate(outcomes)
    return Metrics(
        num_evaluated=len(outcomes),
        num_top1=num_top1,
        num_top5=sum(outcome.target_rank <= TOP_K for outcome in outcomes),
        mean_class_accuracy=_share(sum(c.top1 for c in classes), len(classes)),
        macro_f1=_macro_f1(outcomes, classes),
        majority=_share(max((c.num_videos for c in classes), default=0), len(outcomes)),
        top1_interval=wilson_interval(num_top1, len(outcomes)),
        classes=classes,
        confusions=_confusions(outcomes),
        calibration=bins,
        calibration_error=_share(
            sum(b.num_videos * abs(b.mean_confidence - b.accuracy) for b in bins), len(outcomes)
        ),
    )


def wilson_interval(num_right: int, num_all: int) -> tuple[float, float]:
    """95 % score interval of a share (Wilson 1927); nan for no trials."""
    if num_all == 0:
        return float("nan"), float("nan")
    share, spread = num_right / num_all, _Z_95**2 / num_all
    center = (share + spread / 2) / (1 + spread)
    half = _Z_95 / (1 + spread) * np.sqrt(share * (1 - share) / num_all + spread / num_all / 4)
    return max(0.0, float(center - half)), min(1.0, float(center + half))


def _measure_classes(outcomes: Sequence[Outcome]) -> tuple[ClassAccuracy, ...]:
    videos = Counter(o.target for o in outcomes)
    top1 = Counter(o.target for o in outcomes if o.is_correct)
    top5 = Counter(o.target for o in outcomes if o.target_rank <= TOP_K)
    predicted = Counter(o.predicted for o in outcomes)
    return tuple(
        ClassAccuracy(index, videos[index], top1[index], top5[index], predicted[index])
        for index in sorted(videos)
    )


def _macro_f1(outcomes: Sequence[Outcome], classes: Sequence[ClassAccuracy]) -> float:
    """F1 of a class that is predicted and does not occur is 0."""
    concerned = {o.target for o in outcomes} | {o.predicted for o in outcomes}
    total = sum(2 * c.num_top1 / (c.num_videos + c.num_predicted) for c in classes)
    return _share(total, len(concerned))


def _confusions(outcomes: Sequence[Outcome]) -> tuple[tuple[tuple[int, int], int], ...]:
    wrong = Counter((o.target, o.predicted) for o in outcomes if not o.is_correct)
    return tuple(sorted(wrong.items(), key=lambda item: (-item[1], item[0])))


def _calibrate(outcomes: Sequence[Outcome]) -> tuple[CalibrationBin, ...]:
    """Equal-width bins over confidence (Guo et al. 2017)."""
    confidence = np.array([o.confidence for o in outcomes], dtype=np.float64)
    correct = np.array([o.is_correct for o in outcomes], dtype=np.float64)
    edges = np.linspace(0.0, 1.0, NUM_CALIBRATION_BINS + 1)
    places = np.clip(np.digitize(confidence, edges, right=True) - 1, 0, NUM_CALIBRATION_BINS - 1)
    return tuple(
        CalibrationBin(
            low=float(edges[place]),
            high=float(edges[place + 1]),
            num_videos=int((places == place).sum()),
            mean_confidence=float(confidence[places == place].mean()),
            accuracy=float(correct[places == place].mean()),
        )
        for place in np.unique(places)
    )


def _share(part: float, whole: int) -> float:
    return part / whole if whole else float("nan")
