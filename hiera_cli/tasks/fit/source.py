"""What is fitted to: labelled videos from a data set or a label file, and where features go."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hiera_cli.checkpoints.labels import parse_json, read_small_text
from hiera_cli.datasets.dataset import Dataset, read_dataset, splits_of
from hiera_cli.errors import NoInputError, UsageError
from hiera_cli.heads.choose import check_counts
from hiera_cli.inputs import IMAGE_SUFFIXES
from hiera_cli.options import (
    EngineOptions,
    ProtocolName,
)
from hiera_cli.tasks.classify import DEFAULT_PROTOCOL
from hiera_cli.tasks.fit.labelled import (
    LabelledVideo,
    choose_classes,
    of_dataset,
    of_label_file,
    with_names,
)
from hiera_cli.tasks.fit.options import FitOptions


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
    val: tuple[str, str | None] | None = None if options.val is None else (options.val, None)
    warnings: tuple[str, ...] = ()
    if engine.labels is not None:
        if options.features is None:
            raise UsageError("--labels goes with --features", hint="add --features FILE")
        path = Path(engine.labels)
        videos = of_label_file(path, group=options.group, multi_label=options.multi_label)
        layout = f"label file '{path}', features in '{options.features}'"
    elif dataset is not None:
        data, split = _read_split(dataset, options)
        videos = of_dataset(data, group=options.group, multi_label=options.multi_label)
        layout, warnings = data.layout, data.warnings
        val = val or (None if split is None else (dataset, split))
    else:
        raise UsageError(
            "fit needs a DATASET, or --features FILE with --labels FILE",
            hint="name class folders, a Kinetics folder or a list file",
        )
    if not videos:
        raise NoInputError(f"{layout}: no video is labelled there")
    videos, classes = _named(videos, options)
    counts = tuple(sum(name in v.labels for v in videos) for name in classes)
    check_counts(classes, counts)
    table = options.features or options.out.with_name(options.out.name + ".features.parquet")
    understood = Understood(
        layout=layout,
        num_videos=len(videos),
        num_missing=sum(v.path is None for v in videos) if options.features is None else 0,
        classes=classes,
        counts=counts,
        warnings=warnings,
    )
    return Source(understood, videos, table, val, _protocol(videos))


def _read_split(dataset: str, options: FitOptions) -> tuple[Dataset, str | None]:
    """The training part of a data set, and the split to judge on where it has one of its own."""
    present = set(splits_of(dataset, annotations=options.annotations))
    training = "train" if "train" in present else None
    data = read_dataset(
        dataset,
        annotations=options.annotations,
        split=training,
        class_names=None if options.class_names is None else str(options.class_names),
        group=options.group,
    )
    return data, "val" if {"train", "val"} <= present else None


def _named(
    videos: list[LabelledVideo], options: FitOptions
) -> tuple[list[LabelledVideo], tuple[str, ...]]:
    """The videos with class names, and the classes in order."""
    if options.class_names is None:
        return videos, choose_classes(videos, None)
    names = _class_names(options.class_names)
    classes = choose_classes(videos, names)
    return with_names(videos, classes), classes


def _class_names(path: Path) -> tuple[str, ...]:
    text = read_small_text(path, UsageError)
    if text.lstrip()[:1] == "[":
        parsed = parse_json(text)
        names = [str(name) for name in parsed] if isinstance(parsed, list) else []
    else:
        names = [line.strip() for line in text.splitlines() if line.strip()]
    if len(names) < 2 or len(set(names)) < len(names):
        raise UsageError(f"class names {path}: expected one name a line, each once")
    return tuple(names)


def _protocol(videos: Sequence[LabelledVideo]) -> ProtocolName:
    """As `classify`; pictures have a single view."""
    paths = [video.path for video in videos if video.path]
    pictures = bool(paths) and all(path.lower().endswith(tuple(IMAGE_SUFFIXES)) for path in paths)
    return "fast" if pictures else DEFAULT_PROTOCOL
