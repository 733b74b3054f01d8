"""Cross-validation: which setting of a head does best, and what it says about unseen videos."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
import torch
from torch import Tensor

from hiera_cli.errors import UsageError
from hiera_cli.heads.examples import Examples, Indices
from hiera_cli.heads.folds import assign_folds
from hiera_cli.heads.heads import (
    FittedHead,
    LinearSetting,
    NeighbourSetting,
    Setting,
    Training,
    fit_head,
    score_videos,
)
from hiera_cli.heads.options import HeadOptions, is_balanced
from hiera_cli.model.config import SIDE_STAGES
from hiera_cli.model.logistic import balanced_weights

logger = logging.getLogger("hiera_cli")

MAX_FOLDS = 5
STRENGTHS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
NEIGHBOURS = (1, 3, 5, 10, 20, 40)
TEMPERATURES = (0.01, 0.03, 0.1, 0.3)
PATIENCE = 2  # settings in a row that do worse than the best before the rest is left out
LEAST_SCORE = 1e-6


@dataclass(frozen=True, eq=False, slots=True)
class Choice:
    """A setting, and how it was found.

    Attributes:
        setting: the one with the least loss.
        loss: mean cross entropy of held-out videos, classes weighted as in the fit; nan where
            there was nothing to choose.
        losses: of the best setting of each way of training.
        num_folds: of the cross-validation.
        balanced: whether every class counts the same.
    """

    setting: Setting
    loss: float
    losses: dict[Training, float]
    num_folds: int
    balanced: bool


@dataclass(frozen=True, eq=False, slots=True)
class ChosenFeatures:
    """What a head sees best, and how it is fitted to that.

    Attributes:
        head_stages: earlier stages whose mean tokens it sees, as in `HieraConfig`.
        examples: with these features.
        choice: the setting.
    """

    head_stages: tuple[int, ...]
    examples: Examples
    choice: Choice


def choose_features(examples: Examples, options: HeadOptions, *, last_dim: int) -> ChosenFeatures:
    """Whether a head had better see the side stages beside the last one, by cross-validation.

    Args:
        examples: features are the mean tokens of the side stages, then `last_dim` of the last one.
        options: of the head.
        last_dim: width of the last stage.

    Raises:
        UsageError: fewer than two classes, or no class with two videos that can be separated.
    """
    last = replace(examples, features=examples.features[:, -last_dim:])
    candidates = [
        ChosenFeatures(stages, seen, choose_setting(seen, options))
        for stages, seen in (((), last), (SIDE_STAGES, examples))
    ]
    return min(candidates, key=lambda chosen: chosen.choice.loss)


def choose_setting(examples: Examples, options: HeadOptions) -> Choice:
    """The setting with the least cross entropy of videos that were held out.

    Raises:
        UsageError: fewer than two classes, or no class with two videos that can be separated.
    """
    num_folds = check_classes(examples)
    balanced = is_balanced(options.class_weights, tuple(map(int, examples.counts)))
    folds = _folds(examples, num_folds, seed=options.seed)
    best: dict[Training, tuple[float, Setting]] = {}
    for path in _paths(options):
        found = _best_on_path(examples, path, folds, balanced=balanced, options=options)
        best[found[1].training] = min(
            found, best.get(found[1].training, found), key=lambda pair: pair[0]
        )
    loss, setting = min(best.values(), key=lambda pair: pair[0])
    losses = {training: pair[0] for training, pair in best.items()}
    return Choice(setting, loss, losses, num_folds, balanced)


def check_classes(examples: Examples) -> int:
    """How many folds the classes allow.

    Raises:
        UsageError: fewer than two classes, or nothing that can be held out.
    """
    counts, classes = examples.counts, examples.classes
    empty = [name for name, count in zip(classes, counts, strict=True) if not count]
    if empty:
        raise UsageError(f"no video of class {', '.join(empty)} can be used")
    check_counts(classes, tuple(map(int, counts)))
    sources = [len(np.unique(examples.groups[column > 0])) for column in examples.targets.numpy().T]
    if max(sources) < 2:
        raise UsageError(
            "every class is in one group: nothing can be held out to check the model",
            hint="leave out --group, or label videos of further groups",
        )
    for name, num in zip(classes, sources, strict=True):
        if num < 2:
            logger.warning(
                "class %s has a single video or group: whether it is recognised cannot be checked",
                name,
            )
    return max(2, min(MAX_FOLDS, *(num for num in sources if num >= 2)))


def check_counts(classes: Sequence[str], counts: Sequence[int]) -> None:
    """Refuse classes that no classifier can be fitted to, or none that could be checked.

    Raises:
        UsageError: one class, or one video in each.
    """
    if len(classes) < 2:
        raise UsageError(
            f"all videos are of one class, {classes[0]}", hint="a classifier needs two classes"
        )
    if max(counts) < 2:
        raise UsageError(
            "every class has one video: nothing can be held out to check the model",
            hint="label at least two videos of each class",
        )


def held_out_scores(
    examples: Examples, setting: Setting, *, num_folds: int, balanced: bool, options: HeadOptions
) -> Tensor:
    """Probabilities (N, K) of each video by a head that was fitted without it and its group.

    The folds are other ones than those that the setting was chosen on.
    """
    folds = _folds(examples, num_folds, seed=options.seed + 1)
    scores = torch.zeros_like(examples.targets)
    for training, held_out in _splits(folds):
        fitted = fit_head(
            examples.subset(training), setting, balanced=balanced, multi_label=options.multi_label
        )
        scores[torch.from_numpy(held_out)] = score_videos(
            fitted, examples.subset(held_out), multi_label=options.multi_label
        )
    return scores


def _paths(options: HeadOptions) -> Iterator[Sequence[Setting]]:
    """Settings to try, in sequences along which the loss falls and then rises."""
    for training in get_args(Training):
        if options.head == "linear":
            strengths = STRENGTHS if options.strength is None else (options.strength,)
            yield [LinearSetting(training, strength) for strength in strengths]
        else:
            for temperature in TEMPERATURES:
                yield [NeighbourSetting(training, k, temperature) for k in NEIGHBOURS]


def _best_on_path(
    examples: Examples,
    path: Sequence[Setting],
    folds: Indices,
    *,
    balanced: bool,
    options: HeadOptions,
) -> tuple[float, Setting]:
    """The least loss along a path, and its setting; each fit starts where the last one ended."""
    splits = [
        (examples.subset(training), held_out, examples.subset(held_out))
        for training, held_out in _splits(folds)
    ]
    starts: list[FittedHead | None] = [None] * len(splits)
    best, num_worse = (float("inf"), path[0]), 0
    for setting in path:
        scores = torch.zeros_like(examples.targets)
        for index, (training, held_out, rest) in enumerate(splits):
            fitted = fit_head(
                training,
                setting,
                balanced=balanced,
                multi_label=options.multi_label,
                start=starts[index],
            )
            starts[index] = fitted
            judged = score_videos(fitted, rest, multi_label=options.multi_label)
            scores[torch.from_numpy(held_out)] = judged
        loss = _loss(scores, examples, balanced=balanced, multi_label=options.multi_label)
        num_worse = 0 if loss < best[0] else num_worse + 1
        best = min(best, (loss, setting), key=lambda pair: pair[0])
        if num_worse >= PATIENCE:
            break
    return best


def _loss(scores: Tensor, examples: Examples, *, balanced: bool, multi_label: bool) -> float:
    """Mean cross entropy of the videos' scores, each class weighted as in the fit."""
    targets, known = examples.targets, scores.clamp(LEAST_SCORE, 1 - LEAST_SCORE)
    each = -(targets * known.log())
    if multi_label:
        each = each - (1 - targets) * (1 - known).log()
    weights = balanced_weights(targets, multi_label=multi_label) if balanced else None
    if weights is not None:
        each = each * (weights if weights.ndim == 2 else weights[:, None])
    return float(each.sum() / len(examples))


def _folds(examples: Examples, num_folds: int, *, seed: int) -> Indices:
    return assign_folds(examples.targets.numpy(), examples.groups, num_folds=num_folds, seed=seed)


def _splits(folds: Indices) -> Iterator[tuple[Indices, Indices]]:
    """Training and held-out videos of each fold that has both."""
    for fold in np.unique(folds):
        training, held_out = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        if len(training):
            yield training, held_out
