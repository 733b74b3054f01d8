"""Labelled videos to learn from and to validate on, with class indices."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from hiera_cli.datasets.dataset import Dataset, normalise_label, read_dataset, splits_of
from hiera_cli.datasets.sample import check_learnable
from hiera_cli.errors import NoInputError, UsageError
from hiera_cli.training.data.batches import TrainingVideo

logger = logging.getLogger("hiera_cli")


@dataclass(frozen=True, slots=True)
class LabelledVideos:
    """What a classifier learns from.

    Attributes:
        training: videos to learn from.
        validation: held-out videos; empty when there are none.
        classes: names in the order of their indices.
        is_something: whether they are Something-Something's.
    """

    training: tuple[TrainingVideo, ...]
    validation: tuple[TrainingVideo, ...]
    classes: tuple[str, ...]
    is_something: bool = False


def read_labelled(
    data: str,
    *,
    annotations: str | None,
    val: str | None,
    known: Sequence[str],
    class_names: str | None = None,
    labels_from: int = 0,
) -> LabelledVideos:
    """The training and validation videos of a data set.

    Args:
        data: class folders, a Kinetics folder or a list file; with `train` and `val` splits, or
            for training alone.
        annotations: the file that labels it, when it is not found by itself.
        val: another data set to validate on.
        known: class names that the initial weights know: their order is kept when the data set
            has just these classes.
        class_names: a file with the names of a list's numbered classes; None: searched for.
        labels_from: the number of a list's first class.

    Raises:
        UsageError: no such data, a single class, or validation classes that training does not have.
        NoInputError: no training video exists.
    """
    read = partial(read_dataset, class_names=class_names, labels_from=labels_from)
    there = splits_of(data, annotations=annotations)
    dataset = read(data, annotations=annotations, split="train" if "train" in there else None)
    for problem in check_learnable(dataset):
        logger.warning("%s: %s", dataset.layout, problem)
    classes = _choose_classes(dataset, known)
    index_of = {normalise_label(name): index for index, name in enumerate(classes)}
    held_out = None
    if val is not None:
        held_out = read(val)
    elif {"train", "val"} <= set(there):
        held_out = read(data, annotations=annotations, split="val")
    training = _videos(dataset, index_of)
    if not training:
        raise NoInputError(
            f"{dataset.layout}: not one of its videos exists", hint=dataset.missing_hint
        )
    validation = _videos(held_out, index_of) if held_out else ()
    return LabelledVideos(training, validation, classes, dataset.is_something)


def _choose_classes(dataset: Dataset, known: Sequence[str]) -> tuple[str, ...]:
    """The data set's classes; in the order of the initial weights when they are the same."""
    mine = {normalise_label(name) for name in dataset.classes}
    same = len(known) == len(mine) and mine == {normalise_label(name) for name in known}
    return tuple(known) if same else dataset.classes


def _videos(dataset: Dataset, index_of: dict[str, int]) -> tuple[TrainingVideo, ...]:
    for warning in dataset.warnings:
        logger.warning("%s: %s", dataset.layout, warning)
    if dataset.num_missing:
        logger.warning(
            "%s: %d of %d videos are missing",
            dataset.layout,
            dataset.num_missing,
            len(dataset.samples),
        )
    unknown = {name for name in dataset.classes if normalise_label(name) not in index_of}
    if unknown:
        raise UsageError(
            f"{dataset.layout}: no training video shows {', '.join(sorted(unknown)[:5])}",
            hint="train and validate on the same classes",
        )
    return tuple(
        TrainingVideo(
            sample.path,
            target=index_of[normalise_label(sample.label)],
        )
        for sample in dataset.samples
        if sample.path is not None
    )


def with_fewer_labels(
    data: LabelledVideos, *, hold_out: int, per_class: int | None, seed: int
) -> LabelledVideos:
    """The data with a part of each class held out, and with few labels to learn from.

    Args:
        data: all of it.
        hold_out: of each class, always the same ones, validated on instead of `data.validation`;
            0: none.
        per_class: of each class that is left, drawn from `seed`, to learn from; None: all.
        seed: of the draw.

    Raises:
        UsageError: a class is too small.
    """
    held_out, kept = list[TrainingVideo](), list[TrainingVideo]()
    for target, name in enumerate(data.classes):
        videos = [video for video in data.training if video.target == target]
        num_left = len(videos) - hold_out
        if num_left < (per_class or 1):
            raise UsageError(
                f"class {name} has {len(videos)} files, too few to hold out {hold_out} and learn "
                f"from {per_class or 1}"
            )
        order = np.random.default_rng(target).permutation(len(videos))
        held_out += [videos[index] for index in order[:hold_out]]
        left = np.random.default_rng((seed, target)).permutation(order[hold_out:])
        kept += [videos[index] for index in sorted(left[:per_class])]
    return replace(
        data,
        training=tuple(kept),
        validation=tuple(held_out) if hold_out else data.validation,
    )
