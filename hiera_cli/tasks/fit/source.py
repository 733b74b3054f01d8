"""What is fitted to: labelled videos from a data set or a label file, and where features go."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hiera_cli.datasets.dataset import Dataset, read_dataset, splits_of
from hiera_cli.errors import UsageError
from hiera_cli.heads.choose import check_counts
from hiera_cli.inputs import IMAGE_SUFFIXES
from hiera_cli.options import EngineOptions, ProtocolName
from hiera_cli.tasks.classify import DEFAULT_PROTOCOL
from hiera_cli.tasks.fit.labelled import (
    LabelledVideo,
    labelled_videos,
    multi_labelled_videos,
)
from hiera_cli.tasks.fit.options import FEATURES_SUFFIX, FitOptions


@dataclass(frozen=True, slots=True)
class Understood:
    """What the data set was read as, before anything is computed."""

    layout: str
    num_videos: int
    num_missing: int
    classes: tuple[str, ...]
    counts: tuple[int, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class Source:
    """Labelled videos, and the table that holds or will hold their features."""

    understood: Understood
    videos: Sequence[LabelledVideo]
    table: Path
    val: tuple[str, str | None] | None
    protocol: ProtocolName


def read_source(dataset: str | None, options: FitOptions, engine: EngineOptions) -> Source:
    """The labels of the videos, and what they were read as."""
    assert options.out is not None
    if engine.labels is not None and options.features is None:
        raise UsageError("--labels goes with --features", hint="add --features FILE")
    place = engine.labels or dataset
    if place is None:
        raise UsageError(
            "fit needs a DATASET, or --features FILE with --labels FILE",
            hint="name class folders, a Kinetics folder or a list file",
        )
    data, split = _read_split(place, options)
    read = multi_labelled_videos if options.multi_label else labelled_videos
    videos, classes = read(data)
    counts = tuple(sum(name in v.labels for v in videos) for name in classes)
    check_counts(classes, counts)
    from_table = options.features is not None
    understood = Understood(
        layout=data.layout,
        num_videos=len(videos),
        num_missing=0 if from_table else data.num_missing,
        classes=classes,
        counts=counts,
        warnings=() if from_table else data.warnings,  # of files that nobody needs
    )
    table = options.features or options.out.with_name(options.out.name + FEATURES_SUFFIX)
    val = (options.val, None) if options.val else (place, split) if split else None
    return Source(understood, videos, table, val, _protocol(videos))


def _read_split(place: str, options: FitOptions) -> tuple[Dataset, str | None]:
    """The training part of a data set, and the split to judge on where it has one of its own."""
    present = splits_of(place, annotations=options.annotations)
    data = read_dataset(
        place,
        annotations=options.annotations,
        split="train" if "train" in present else None,
        class_names=options.class_names,
        labels_from=options.labels_from,
        group=options.group,
        multi_label=options.multi_label,
    )
    return data, "val" if {"train", "val"} <= set(present) else None


def _protocol(videos: Sequence[LabelledVideo]) -> ProtocolName:
    """As `classify`; pictures have a single view."""
    paths = [video.path for video in videos if video.path]
    pictures = bool(paths) and all(path.lower().endswith(tuple(IMAGE_SUFFIXES)) for path in paths)
    return "fast" if pictures else DEFAULT_PROTOCOL
