import math

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    precision_score,
    recall_score,
    top_k_accuracy_score,
)

from hiera_cli.tasks.evaluation.metrics import (
    NUM_CALIBRATION_BINS,
    CalibrationBin,
    Metrics,
    judge,
    measure,
    wilson_interval,
)

NUM_CLASSES = 12


@pytest.fixture(scope="module")
def labelled() -> tuple[np.ndarray, np.ndarray]:
    """Targets (N,), scores (N, K): informative, overconfident, one class never the target."""
    random = np.random.default_rng(7)
    targets = random.choice(np.arange(NUM_CLASSES - 1), 400, p=np.arange(1, 12) / 66)
    logits = random.normal(size=(400, NUM_CLASSES)) * 1.5
    logits[np.arange(400), targets] += 2
    scores = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return targets, scores.astype(np.float32)


@pytest.fixture(scope="module")
def metrics(labelled: tuple[np.ndarray, np.ndarray]) -> Metrics:
    targets, scores = labelled
    return measure(
        [judge(str(i), int(t), s) for i, (t, s) in enumerate(zip(targets, scores, strict=True))]
    )


def test_accuracies_equal_scikit_learn(
    labelled: tuple[np.ndarray, np.ndarray], metrics: Metrics
) -> None:
    targets, scores = labelled
    predicted = scores.argmax(1)
    everything = np.arange(NUM_CLASSES)
    assert 0.3 < metrics.top1 < 0.9
    assert metrics.top1 == accuracy_score(targets, predicted)
    assert metrics.top5 == top_k_accuracy_score(targets, scores, k=5, labels=everything)
    present = np.unique(targets)
    assert metrics.mean_class_accuracy == pytest.approx(
        recall_score(targets, predicted, labels=present, average="macro"), abs=1e-12
    )
    assert [c.index for c in metrics.classes] == present.tolist()
    assert [c.top1 for c in metrics.classes] == pytest.approx(
        recall_score(targets, predicted, labels=present, average=None)
    )
    assert [c.precision for c in metrics.classes] == pytest.approx(
        precision_score(targets, predicted, labels=present, average=None)
    )


def test_confusions_equal_scikit_learn_and_come_most_frequent_first(
    labelled: tuple[np.ndarray, np.ndarray], metrics: Metrics
) -> None:
    targets, scores = labelled
    matrix = confusion_matrix(targets, scores.argmax(1), labels=np.arange(NUM_CLASSES))
    np.fill_diagonal(matrix, 0)
    assert dict(metrics.confusions) == {
        (int(t), int(p)): int(matrix[t, p]) for t, p in zip(*matrix.nonzero(), strict=True)
    }
    counts = [count for _, count in metrics.confusions]
    assert counts == sorted(counts, reverse=True)


def test_calibration_equals_scikit_learn(
    labelled: tuple[np.ndarray, np.ndarray], metrics: Metrics
) -> None:
    targets, scores = labelled
    correct = scores.argmax(1) == targets
    confidence = scores.max(1).astype(np.float64)
    accuracy, mean = calibration_curve(correct, confidence, n_bins=NUM_CALIBRATION_BINS)
    bins = metrics.calibration
    assert [b.accuracy for b in bins] == pytest.approx(accuracy)
    assert [b.mean_confidence for b in bins] == pytest.approx(mean)
    assert sum(b.num_videos for b in bins) == 400
    gaps = [b.num_videos * abs(a - m) for b, a, m in zip(bins, accuracy, mean, strict=True)]
    assert metrics.calibration_error == pytest.approx(sum(gaps) / 400)


@pytest.mark.parametrize(("right", "trials"), [(0, 5), (5, 5), (7, 9), (16_000, 19_796)])
def test_interval_equals_scipy(right: int, trials: int) -> None:
    reference = binomtest(right, trials).proportion_ci(0.95, method="wilson")
    assert wilson_interval(right, trials) == pytest.approx((reference.low, reference.high))


def test_equal_scores_rank_by_index() -> None:
    scores = np.array([0.1, 0.4, 0.1, 0.4], dtype=np.float32)
    ranks = [judge("v", target, scores).target_rank for target in range(4)]
    assert ranks == [3, 1, 4, 2]
    assert judge("v", 3, scores).predicted == 1


def test_the_edges_of_confidence_fall_into_bins() -> None:
    sure = judge("v", 0, np.array([1.0, 0.0]))
    assert measure([sure]).calibration == (
        CalibrationBin(pytest.approx(14 / 15), 1.0, 1, 1.0, 1.0),
    )


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_scores_that_are_no_numbers_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="not numbers"):
        judge("v", 0, np.array([0.5, value]))
    with pytest.raises(ValueError, match="class 2 is not one of 2"):
        judge("v", 2, np.array([0.5, 0.5]))


def test_nothing_measured_is_not_a_number() -> None:
    empty = measure([])
    assert empty.num_evaluated == 0
    assert empty.classes == ()
    assert all(math.isnan(x) for x in (empty.top1, empty.top5, empty.mean_class_accuracy))
    assert all(math.isnan(x) for x in (*empty.top1_interval, empty.calibration_error))
