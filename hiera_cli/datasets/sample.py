"""The records of a labelled data set, and the rules that every layout shares."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from hiera_cli.datasets.class_names import (
    SEPARATOR,
    is_class_number,
    normalise_label,
    split_label,
)
from hiera_cli.datasets.splits import split_called
from hiera_cli.errors import NoInputError, UsageError
from hiera_cli.inputs import printable

MAX_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Sample:
    """One video or image that the data set promises.

    Attributes:
        path: the file; None when it does not exist.
        name: its path below the data set's folder; for a missing clip, what it would be called.
        label: its class, spelled as in `Dataset.classes`; several with `;` between them where
            `Dataset.multi_label` says so.
        group: what it shares with others that must stay on one side of a split (its source, its
            camera, its day); empty where nothing is known.
        split: `train`, `val`, `test` or another name where one is known, else empty.
    """

    path: str | None
    name: str
    label: str
    group: str = ""
    split: str = ""


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a data set promises and what is there.

    Attributes:
        samples: every distinct video, in a stable order.
        classes: the classes that have samples: in the order of their numbers where a file of class
            names gives one, else sorted; for `indexed` data sets, numbers as text.
        layout: a sentence that says how the data set was read.
        split: `val`, `train`, `test` or another name where one is known, else empty.
        indexed: whether labels are class numbers rather than names.
        multi_label: whether a video may have several classes.
        is_something: whether it is Something-Something, which has recipes of its own.
        num_duplicates: further rows for a video that already had one; left out.
        warnings: what a careful reader should know.
        missing_hint: where the first missing video was looked for, and what is nearest to it.
    """

    samples: tuple[Sample, ...]
    classes: tuple[str, ...]
    layout: str
    split: str = ""
    indexed: bool = False
    multi_label: bool = False
    is_something: bool = False
    num_duplicates: int = 0
    warnings: tuple[str, ...] = ()
    missing_hint: str = ""

    @property
    def num_missing(self) -> int:
        """How many samples have no file."""
        return sum(sample.path is None for sample in self.samples)

    def labels_of(self, sample: Sample) -> tuple[str, ...]:
        """The classes of a sample."""
        return split_label(sample.label) if self.multi_label else (sample.label,)


def make_dataset(
    samples: Iterable[Sample],
    layout: str,
    *,
    split: str,
    warnings: tuple[str, ...] = (),
    names: Sequence[str] = (),
    missing_hint: str = "",
    multi_label: bool = False,
) -> Dataset:
    """Leave out repeated rows, give every class one spelling, and put the classes in order.

    Args:
        samples: as they were found.
        layout: a sentence on how.
        split: what the split is called in the data set; empty if nothing is known.
        warnings: what was noticed.
        names: all classes in the order of their numbers; empty where names are all there is.
        missing_hint: where the first missing video was looked for.
        multi_label: whether labels may be several, with `;` between them.

    Raises:
        NoInputError: there are no samples.
    """
    called = split_called(split) or split
    rows = _respelled(samples, names, called, multi_label=multi_label)
    kept: dict[str, Sample] = {}
    for row in rows:
        kept.setdefault(row.path or row.name, row)
    if not kept:
        raise NoInputError(f"{layout}: nothing is listed there")
    labels = {sample.label for sample in kept.values()}
    present = {part for label in labels for part in split_label(label)} if multi_label else labels
    indexed = not names and all(map(is_class_number, present))
    order = [name for name in names if name in present]
    return Dataset(
        samples=tuple(kept.values()),
        classes=tuple(order or sorted(present, key=int if indexed else _alphabetical)),
        layout=layout,
        split=called,
        indexed=indexed,
        multi_label=multi_label,
        num_duplicates=len(rows) - len(kept),
        warnings=(*warnings, *_contradictions(rows, kept), *_empty_classes(names, present)),
        missing_hint=missing_hint,
    )


def _respelled(
    samples: Iterable[Sample], names: Sequence[str], split: str, *, multi_label: bool
) -> list[Sample]:
    """The samples with one spelling of each class (in `names`, or the first), and with a split."""
    spelling = {normalise_label(name): name for name in names}
    return [
        replace(
            sample,
            label=_spelled(sample.label, spelling, multi_label=multi_label),
            split=sample.split or split,
        )
        for sample in samples
    ]


def _spelled(label: str, spelling: dict[str, str], *, multi_label: bool) -> str:
    """A label with every class in the spelling that it had first."""
    parts = split_label(label) if multi_label else (label,)
    known = [spelling.setdefault(normalise_label(part), part) for part in parts]
    return SEPARATOR.join(dict.fromkeys(known))


def _contradictions(rows: Sequence[Sample], kept: dict[str, Sample]) -> tuple[str, ...]:
    """That repeated rows say something else than the first, with an example, if any do."""
    pairs = [(kept[row.path or row.name], row.label) for row in rows]
    against = [(first, label) for first, label in pairs if first.label != label]
    if not against:
        return ()
    first, label = against[0]
    example = f"'{printable(first.name)}' is '{first.label}' and '{label}'"
    return (f"{len(against)} repeated rows contradict the label of the first: {example}",)


def _empty_classes(names: Sequence[str], present: set[str]) -> tuple[str, ...]:
    empty = [name for name in names if name not in present]
    return (f"{no_video(len(empty), len(names))}: {shorten(empty)}",) if empty else ()


def _alphabetical(label: str) -> tuple[str, str]:
    return normalise_label(label), label


def no_video(num_empty: int, num_classes: int) -> str:
    """That some classes are empty, in words."""
    return f"{num_empty} of {num_classes} classes {'has' if num_empty == 1 else 'have'} no video"


def shorten(names: Sequence[str]) -> str:
    """The first few names in quotes, and how many more there are."""
    more = f" and {len(names) - MAX_SHOWN} more" if len(names) > MAX_SHOWN else ""
    return ", ".join(f"'{printable(name)}'" for name in names[:MAX_SHOWN]) + more


def first_missing(samples: Sequence[Sample], root: str) -> str:
    """That the first missing file is not in its folder; empty where none is missing."""
    name = next((sample.name for sample in samples if sample.path is None), None)
    return "" if name is None else f"'{printable(name)}' is not in '{absolute(root)}'"


def absolute(path: str) -> str:
    """The absolute path, safe to print."""
    return printable(os.path.abspath(path))  # noqa: PTH100 - any bytes


def check_learnable(dataset: Dataset) -> tuple[str, ...]:
    """What stands in the way of learning the data set's classes, short of making it impossible.

    Raises:
        UsageError: there is a single class.
    """
    if len(dataset.classes) == 1:
        raise UsageError(
            f"{dataset.layout}: all {len(dataset.samples)} videos are of one class, "
            f"'{dataset.classes[0]}'",
            hint="a classifier needs two classes or more: one folder, name or number for each",
        )
    counts = dict.fromkeys(dataset.classes, 0)
    for sample in dataset.samples:
        counts[sample.label] += sample.path is not None
    empty = [label for label, count in counts.items() if count == 0]
    single = [label for label, count in counts.items() if count == 1]
    problems = []
    if empty:
        problems.append(f"none of the videos of {shorten(empty)} exists")
    if len(single) == len(counts):
        problems.append("every class has a single video: nothing is left to validate on")
    elif single:
        problems.append(f"a single video of {shorten(single)}: such classes cannot be validated")
    return tuple(problems)
