"""The heads that can be fitted, and what they say about videos."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from hiera_cli.heads.examples import Examples, mean_by_video
from hiera_cli.model.hiera import SMALLEST_SHARE
from hiera_cli.model.logistic import LinearHead, Standardisation, balanced_weights, fit_logistic

Training = Literal["clips", "means"]
BLOCK = 4096  # clips whose neighbours are looked for at once


@dataclass(frozen=True, slots=True)
class LinearSetting:
    """How a linear head is fitted.

    Attributes:
        training: to every clip, those of a video sharing its weight, or to each video's mean.
        strength: C.
    """

    training: Training
    strength: float

    def __str__(self) -> str:
        what = "every clip" if self.training == "clips" else "each video's mean feature"
        return f"logistic regression on {what}, C = {self.strength:g}"


@dataclass(frozen=True, slots=True)
class NeighbourSetting:
    """How neighbours vote.

    Attributes:
        training: whether the bank holds every clip, or each video's mean.
        num_neighbours: how many vote.
        temperature: of squared distances between standardised features, per feature: the smaller,
            the more the nearest ones count.
    """

    training: Training
    num_neighbours: int
    temperature: float

    def __str__(self) -> str:
        what = "clips" if self.training == "clips" else "videos' mean features"
        return f"the {self.num_neighbours} nearest {what}, temperature {self.temperature:g}"


Setting = LinearSetting | NeighbourSetting


@dataclass(frozen=True, eq=False, slots=True)
class NeighbourBank:
    """The weights of a `NeighbourHead`.

    Attributes:
        closeness: features to closeness, a row for each that is kept.
        votes: (bank, K) float64.
        num_neighbours: how many vote.
    """

    closeness: LinearHead
    votes: Tensor
    num_neighbours: int


@dataclass(frozen=True, eq=False, slots=True)
class FittedHead:
    """A head over features as the network gives them.

    Attributes:
        head: what is written into the model folder.
        standardised: the solution before folding, where a further fit may start.
    """

    head: LinearHead | NeighbourBank
    standardised: LinearHead | None = None


def fit_head(
    examples: Examples,
    setting: Setting,
    *,
    balanced: bool,
    multi_label: bool,
    start: FittedHead | None = None,
) -> FittedHead:
    """Fit a head.

    Args:
        examples: what to fit to.
        setting: how.
        balanced: whether every class counts the same.
        multi_label: one sigmoid a class.
        start: a head of another strength for the same examples.
    """
    rows = examples if setting.training == "clips" else examples.averaged()
    scaling = Standardisation.of(rows.features, rows.clip_weights)
    standard = scaling.apply(rows.features)
    weights = rows.clip_weights
    if balanced:
        of_videos = balanced_weights(examples.targets, multi_label=multi_label)[rows.video_index]
        weights = of_videos * (weights[:, None] if of_videos.ndim == 2 else weights)
    targets = rows.targets[rows.video_index]
    if isinstance(setting, NeighbourSetting):
        return FittedHead(_bank(standard, targets, weights, scaling, setting))
    solution = fit_logistic(
        standard,
        targets,
        weights=weights,
        strength=setting.strength,
        multi_label=multi_label,
        start=start.standardised if start else None,
    )
    return FittedHead(scaling.folded_into(solution), solution)


def _bank(
    standard: Tensor,
    targets: Tensor,
    weights: Tensor,
    scaling: Standardisation,
    setting: NeighbourSetting,
) -> NeighbourBank:
    """Half the negative squared distance is x.z - z.z / 2, but for what all have in common."""
    temperature = setting.temperature * standard.shape[1]
    closeness = LinearHead(standard / temperature, -standard.square().sum(1) / (2 * temperature))
    votes = targets * weights[:, None] / weights.mean()
    neighbours = min(setting.num_neighbours, len(standard))
    return NeighbourBank(scaling.folded_into(closeness), votes, neighbours)


def score_videos(fitted: FittedHead, examples: Examples, *, multi_label: bool) -> Tensor:
    """Probabilities (N, K) float64: each clip's, averaged over the video, as `classify` does."""
    head = fitted.head
    if isinstance(head, LinearHead):
        logits = head.logits(examples.features)
        scores = logits.sigmoid() if multi_label else logits.softmax(1)
    else:
        scores = torch.cat([_vote(head, part) for part in torch.split(examples.features, BLOCK)])
    return mean_by_video(scores, examples.video_index, len(examples))


def _vote(bank: NeighbourBank, features: Tensor) -> Tensor:
    """As `NeighbourHead` and the softmax after it: (N, D) to (N, K)."""
    closest = bank.closeness.logits(features).topk(bank.num_neighbours, dim=1)
    shares = (closest.values.softmax(1)[..., None] * bank.votes[closest.indices]).sum(1)
    mixed = (1 - SMALLEST_SHARE) * shares + SMALLEST_SHARE / shares.shape[1]
    return mixed / mixed.sum(1, keepdim=True)
