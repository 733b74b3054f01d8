"""How close the outputs of two runtimes are."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from hiera_cli.exports.variants import Array

Outputs = tuple[Tensor, Tensor]
"""Logits (B, K) and features (B, D)."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How close two runtimes are on the same views.

    Attributes:
        deviation: largest difference of logits or features, over the largest expected value.
        feature_cosine: smallest cosine between features.
        top1_agreement: share of views with the same most probable class.
    """

    deviation: float
    feature_cosine: float
    top1_agreement: float


def compare(outputs: Outputs, expected: Outputs) -> Agreement:
    """Agreement of outputs with those expected; a NaN is an infinite deviation."""
    pairs = zip(outputs, expected, strict=True)
    return Agreement(
        deviation=max(deviation(ours, theirs) for ours, theirs in pairs),
        feature_cosine=F.cosine_similarity(outputs[1], expected[1], dim=-1).min().item(),
        top1_agreement=(outputs[0].argmax(-1) == expected[0].argmax(-1)).float().mean().item(),
    )


def deviation(ours: Tensor, theirs: Tensor) -> float:
    """Largest absolute difference over the largest absolute value of `theirs`."""
    value = ((ours - theirs).abs().max() / theirs.abs().max().clamp_min(1e-12)).item()
    return math.inf if math.isnan(value) else value


def worst(one: Agreement, other: Agreement) -> Agreement:
    """The worse of two agreements in every respect."""
    return Agreement(
        max(one.deviation, other.deviation),
        min(one.feature_cosine, other.feature_cosine),
        min(one.top1_agreement, other.top1_agreement),
    )


def as_tensors(outputs: tuple[Array, Array]) -> Outputs:
    """What an export gave, as tensors."""
    return torch.from_numpy(outputs[0]), torch.from_numpy(outputs[1])


def concatenate(outputs: Sequence[Outputs]) -> Outputs:
    """Outputs of several batches as those of one."""
    return torch.cat([o[0] for o in outputs]), torch.cat([o[1] for o in outputs])
