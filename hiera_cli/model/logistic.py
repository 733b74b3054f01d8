"""Regularised logistic regression on features: the linear head of a network that stays as it is.

The loss is scikit-learn's `LogisticRegression` at the same strength C:

    C · sum of weight · cross entropy + ½ · sum of squared weights    (the bias is free)

Everything is float64; a few hundred videos take a fraction of a second.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

MAX_ITERATIONS = 1000
TOLERANCE = 1e-8
SMALLEST_SCALE = 1e-8


@dataclass(frozen=True, eq=False, slots=True)
class LinearHead:
    """A linear classifier.

    Attributes:
        weight: (K, D) float64.
        bias: (K,) float64.
    """

    weight: Tensor
    bias: Tensor

    def logits(self, features: Tensor) -> Tensor:
        """(N, D) to (N, K), float64."""
        return features.double() @ self.weight.T + self.bias


@dataclass(frozen=True, eq=False, slots=True)
class Standardisation:
    """What makes every feature of zero mean and unit variance.

    Attributes:
        mean, scale: (D,) float64; the scale of a feature that never changes is 1.
    """

    mean: Tensor
    scale: Tensor

    @classmethod
    def of(cls, features: Tensor, weights: Tensor) -> Self:
        """That of features (N, D), of which each row counts as much as its weight (N,)."""
        shares = (weights / weights.sum())[:, None]
        mean = (features * shares).sum(0)
        scale = ((features - mean).square() * shares).sum(0).sqrt()
        return cls(mean, torch.where(scale > SMALLEST_SCALE, scale, torch.ones_like(scale)))

    def apply(self, features: Tensor) -> Tensor:
        """(N, D) to (N, D), float64."""
        return (features.double() - self.mean) / self.scale

    def folded_into(self, head: LinearHead) -> LinearHead:
        """The head that takes features as they are and says the same."""
        weight = head.weight / self.scale
        return LinearHead(weight, head.bias - weight @ self.mean)


def fit_logistic(
    features: Tensor,
    targets: Tensor,
    *,
    weights: Tensor,
    strength: float,
    multi_label: bool = False,
    start: LinearHead | None = None,
) -> LinearHead:
    """The head with the least regularised loss, by L-BFGS; the loss is convex.

    Args:
        features: (N, D) float64, standardised.
        targets: (N, K) float64, 1 for each class that a row has.
        weights: how much each row counts, (N,), or (N, K) for each class by itself.
        strength: C; less of it keeps the weights smaller.
        multi_label: one sigmoid a class instead of a softmax.
        start: where to begin, such as the solution for another strength.
    """
    num_classes = targets.shape[1]
    begin = start or LinearHead(
        features.new_zeros(num_classes, features.shape[1]), features.new_zeros(num_classes)
    )
    weight = begin.weight.detach().clone().requires_grad_()
    bias = begin.bias.detach().clone().requires_grad_()
    total = weights.sum()
    # Of two classes a softmax has twice the weights that one sigmoid has, each half as large.
    twice = 2.0 if num_classes == 2 and not multi_label else 1.0
    penalty = twice / (2 * strength * total)

    def loss() -> Tensor:
        logits = features @ weight.T + bias
        fit = _losses(logits, targets, weights, multi_label=multi_label) / total
        return fit + penalty * weight.square().sum()

    _minimise(loss, [weight, bias])
    return LinearHead(weight.detach(), bias.detach())


def _losses(logits: Tensor, targets: Tensor, weights: Tensor, *, multi_label: bool) -> Tensor:
    """The weighted sum of all cross entropies, ()."""
    if multi_label:
        each = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        return (each * (weights if weights.ndim == 2 else weights[:, None])).sum()
    return -((targets * F.log_softmax(logits, dim=1)).sum(1) * weights).sum()


def _minimise(loss: Callable[[], Tensor], parameters: list[Tensor]) -> None:
    optimizer = torch.optim.LBFGS(
        parameters,
        max_iter=MAX_ITERATIONS,
        tolerance_grad=TOLERANCE,
        tolerance_change=TOLERANCE**1.5,
        history_size=20,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss()
        torch.autograd.backward(value)
        return value

    optimizer.step(closure)  # type: ignore[no-untyped-call]


def balanced_weights(targets: Tensor, *, multi_label: bool = False) -> Tensor:
    """Weights that let every class count the same: N / (K · how many rows have it).

    Args:
        targets: (N, K) float64, 1 for each class that a row has.
        multi_label: for each class, those that have it against those that have not.

    Returns:
        (N,), or (N, K) for `multi_label`.
    """
    rows, num_classes = targets.shape
    counts = targets.sum(0).clamp(min=1)
    if not multi_label:
        return (targets @ (rows / (num_classes * counts)[:, None])).squeeze(1)
    others = (rows - targets.sum(0)).clamp(min=1)
    return targets * (rows / (2 * counts)) + (1 - targets) * (rows / (2 * others))
