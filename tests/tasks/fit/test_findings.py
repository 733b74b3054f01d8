from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, f1_score

from hiera_cli.tasks.evaluation.metrics import wilson_interval
from hiera_cli.tasks.fit.findings import find
from tests.heads.examples import clouds


def scores_of(targets: np.ndarray, *, right: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet(np.ones(targets.shape[1]), len(targets))
    known = rng.random(len(targets)) < right
    return np.where(known[:, None], 0.2 * scores + 0.8 * targets, scores)


def test_figures_are_those_of_scikit_learn() -> None:
    examples = clouds((60, 30, 10))
    scores = scores_of(examples.targets.numpy(), right=0.7)
    found = find(examples, scores, multi_label=False, seed=0)
    true, said = examples.targets.numpy().argmax(1), scores.argmax(1)
    assert found.top1 == pytest.approx((true == said).mean())
    assert found.balanced_accuracy == pytest.approx(balanced_accuracy_score(true, said))
    assert found.macro_f1 == pytest.approx(f1_score(true, said, average="macro"))
    assert np.array(found.confusion).tolist() == confusion_matrix(true, said).tolist()
    assert found.majority == pytest.approx(0.6)
    assert found.top1_interval_95 == wilson_interval(int((true == said).sum()), 100)


def test_intervals_are_as_wide_as_repeating_the_experiment_says() -> None:
    examples = clouds((60, 30, 10))
    found = find(
        examples, scores_of(examples.targets.numpy(), right=0.7), multi_label=False, seed=0
    )
    again = [
        find(
            examples,
            scores_of(examples.targets.numpy(), right=0.7, seed=s),
            multi_label=False,
            seed=0,
        )
        for s in range(40)
    ]
    spread = np.std([f.macro_f1 for f in again])
    low, high = found.macro_f1_interval_95
    assert low < found.macro_f1 < high
    assert 2.2 * spread < high - low < 8 * spread


def test_groups_widen_the_intervals() -> None:
    examples = clouds((50, 50))
    grouped = replace(examples, groups=np.repeat(np.arange(10), 10))
    right = np.repeat(np.arange(10) % 3 > 0, 10)[:, None]
    targets = examples.targets.numpy()
    scores = np.where(right, targets, 1 - targets)
    alone = find(examples, scores, multi_label=False, seed=0).top1_interval_95
    together = find(grouped, scores, multi_label=False, seed=0).top1_interval_95
    assert together[1] - together[0] > 2 * (alone[1] - alone[0])


def test_several_labels_a_video() -> None:
    targets = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 1], [0, 0, 1]], dtype=float)
    examples = replace(clouds((2, 1, 1)), targets=torch.from_numpy(targets))
    scores = np.array([[0.9, 0.6, 0.1], [0.4, 0.3, 0.2], [0.1, 0.8, 0.7], [0.6, 0.1, 0.9]])
    found = find(examples, scores, multi_label=True, seed=0)
    assert found.top1 == 1.0
    assert found.macro_f1 == pytest.approx(f1_score(targets, scores > 0.5, average="macro"))
    each = [balanced_accuracy_score(targets[:, k], scores[:, k] > 0.5) for k in range(3)]
    assert found.balanced_accuracy == pytest.approx(np.mean(each))
    assert found.confusion == ()


def test_the_surest_contradiction_of_a_label_comes_first() -> None:
    examples = clouds((2, 2))
    scores = np.array([[0.9, 0.1], [0.3, 0.7], [0.95, 0.05], [0.2, 0.8]])
    doubts = find(examples, scores, multi_label=False, seed=0).doubtful
    assert [(d.path, d.label, d.predicted) for d in doubts] == [
        ("video 2.mp4", "class 1", "class 0"),
        ("video 1.mp4", "class 0", "class 1"),
    ]
    assert doubts[0].label_score == pytest.approx(0.05)
