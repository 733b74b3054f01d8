import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler

from hiera_cli.model.logistic import Standardisation, balanced_weights, fit_logistic


def samples(num_classes: int, *, num: int = 90, width: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping clouds, the first class three times as large as the last."""
    rng = np.random.default_rng(num_classes)
    shares = np.linspace(3, 1, num_classes)
    targets = rng.choice(num_classes, size=num, p=shares / shares.sum())
    centers = rng.normal(size=(num_classes, width))
    return rng.normal(size=(num, width)) * 3 + centers[targets] * 2 + 5, targets


def one_hot(targets: np.ndarray) -> torch.Tensor:
    return torch.nn.functional.one_hot(torch.tensor(targets)).double()


@pytest.mark.parametrize("num_classes", [2, 3, 7])
@pytest.mark.parametrize("strength", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_probabilities_are_those_of_scikit_learn(
    num_classes: int, strength: float, class_weight: str | None
) -> None:
    features, targets = samples(num_classes)
    scaler = StandardScaler().fit(features)
    reference = LogisticRegression(C=strength, class_weight=class_weight, max_iter=10_000, tol=1e-9)
    expected = reference.fit(scaler.transform(features), targets)
    x, y = torch.tensor(features), one_hot(targets)
    weights = balanced_weights(y) if class_weight else torch.ones(len(x)).double()
    scaling = Standardisation.of(x, torch.ones(len(x)).double())
    head = fit_logistic(scaling.apply(x), y, weights=weights, strength=strength)
    others = torch.tensor(samples(num_classes, num=50)[0])
    found = scaling.folded_into(head).logits(others).softmax(1).numpy()
    wanted = expected.predict_proba(scaler.transform(others.numpy()))
    np.testing.assert_allclose(found, wanted, atol=1e-3)
    assert (found.argmax(1) == wanted.argmax(1)).all()


@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_one_sigmoid_a_class_is_one_versus_rest(class_weight: str | None) -> None:
    features, _ = samples(3)
    rng = np.random.default_rng(0)
    targets = ((features @ rng.normal(size=(12, 3)) + rng.normal(size=(90, 3)) * 4) > 9).astype(int)
    single = LogisticRegression(C=0.5, class_weight=class_weight, max_iter=10_000, tol=1e-9)
    reference = OneVsRestClassifier(single).fit(features - 5, targets)
    x, y = torch.tensor(features - 5), torch.tensor(targets).double()
    weights = balanced_weights(y, multi_label=True) if class_weight else torch.ones(90).double()
    head = fit_logistic(x, y, weights=weights, strength=0.5, multi_label=True)
    np.testing.assert_allclose(
        head.logits(x).sigmoid().numpy(), reference.predict_proba(features - 5), atol=2e-4
    )


def test_a_start_changes_nothing_but_the_way() -> None:
    features, targets = samples(4)
    x, y, weights = torch.tensor(features - 5), one_hot(targets), torch.ones(90).double()
    far = fit_logistic(x, y, weights=weights, strength=10.0)
    cold = fit_logistic(x, y, weights=weights, strength=0.1)
    warm = fit_logistic(x, y, weights=weights, strength=0.1, start=far)
    torch.testing.assert_close(warm.weight, cold.weight, atol=1e-5, rtol=0)


def test_a_feature_that_never_changes_is_left_alone() -> None:
    x = torch.tensor([[1.0, 7.0], [3.0, 7.0]]).double()
    scaling = Standardisation.of(x, torch.tensor([1.0, 3.0]).double())
    assert scaling.mean.tolist() == [2.5, 7.0]
    assert scaling.scale.tolist() == pytest.approx([0.75**0.5, 1.0])
    assert scaling.apply(x)[:, 1].tolist() == [0.0, 0.0]


def test_balanced_weights_give_every_class_the_same_sum() -> None:
    y = one_hot(np.array([0, 0, 0, 1, 2, 2]))
    assert (balanced_weights(y) @ y).tolist() == pytest.approx([2.0, 2.0, 2.0])
    pair = balanced_weights(y, multi_label=True)
    assert (pair * y).sum(0).tolist() == pytest.approx((pair * (1 - y)).sum(0).tolist())
