import math

import torch

from hiera_cli.tasks.agreement import Agreement, compare, concatenate, deviation, worst


def test_deviation_is_relative_to_the_largest_expected_value() -> None:
    assert math.isclose(
        deviation(torch.tensor([1.0, 4.2]), torch.tensor([1.0, 4.0])), 0.05, rel_tol=1e-5
    )
    assert deviation(torch.tensor([math.nan]), torch.tensor([1.0])) == math.inf


def test_compare_counts_top1_and_takes_the_worst_cosine() -> None:
    expected = torch.tensor([[0.0, 1.0], [1.0, 0.0]]), torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    ours = torch.tensor([[0.0, 1.0], [0.9, 1.0]]), torch.tensor([[1.0, 0.0], [3.0, 4.0]])
    found = compare(ours, expected)
    assert found.top1_agreement == 0.5
    assert math.isclose(found.feature_cosine, 0.6, rel_tol=1e-6)
    assert found.deviation == 4.0


def test_worst_is_the_worse_of_everything() -> None:
    assert worst(Agreement(0.1, 0.9, 1.0), Agreement(0.2, 0.95, 0.5)) == Agreement(0.2, 0.9, 0.5)


def test_concatenate_joins_batches() -> None:
    one = torch.zeros(1, 2), torch.zeros(1, 3)
    logits, features = concatenate([one, one])
    assert logits.shape == (2, 2)
    assert features.shape == (2, 3)
