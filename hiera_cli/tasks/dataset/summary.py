"""What the files of a data set say together: counts, spreads, and what is wrong."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from hiera_cli.datasets.class_names import normalise_label, split_label
from hiera_cli.datasets.dataset import Dataset, Sample
from hiera_cli.errors import Failure
from hiera_cli.inputs import printable
from hiera_cli.tasks.dataset.duplicates import (
    DuplicateSet,
    SharedGroup,
    find_duplicates,
    find_shared_groups,
)
from hiera_cli.tasks.dataset.split import SuggestedSplit
from hiera_cli.tasks.dataset.survey import FileFacts


@dataclass(frozen=True, slots=True)
class ClassCount:
    """A class of a data set.

    Attributes:
        label: its name.
        num_files: that are promised.
        splits: of those, how many lie in each split.
        num_missing, num_broken: of those, how many are not there or cannot be read.
        duration_seconds: of all that can be read.
    """

    label: str
    num_files: int
    splits: Mapping[str, int]
    num_missing: int
    num_broken: int
    duration_seconds: float


@dataclass(frozen=True, slots=True)
class Spread:
    """How a quantity is spread over the files."""

    minimum: float
    median: float
    maximum: float
    total: float


@dataclass(frozen=True, slots=True)
class ValueCount:
    """A value, as text, and how many files have it."""

    value: str
    count: int


@dataclass(frozen=True, slots=True)
class DatasetReport:
    """What is known about a data set before anything is computed on it.

    Attributes:
        dataset: where it is.
        layouts: how it was read, a sentence for each split.
        num_files: that are promised; the next ones are parts of them.
        num_missing: files that are not there.
        num_broken: files that cannot be read.
        num_damaged: files that can be used, with warnings.
        num_repeated_rows: further rows for a file that already had one; left out.
        splits: files of each split; empty where it is not divided.
        classes: the classes, in their order.
        majority: share of the largest class: what always answering it gets right.
        imbalance: files of the largest class for each of the smallest.
        durations: seconds; None where there are pictures only.
        num_bytes: size of the files.
        frames: frames a file.
        sizes, rates, codecs: pictures' sizes, frame rates and codecs, the most frequent first.
        broken: files that cannot be read, and why.
        missing: names of files that are not there.
        missing_hint: where the first of them was looked for.
        duplicates: sets of files with the same bytes.
        conflicts: those of them that are given several labels.
        leaks: those of them that lie in several splits.
        num_groups: groups that are known.
        group_leaks: groups that lie in several splits.
        warnings: what else a careful reader should know.
        suggestion: how it could be, or was, divided; None where it is divided already.
    """

    dataset: str
    layouts: tuple[str, ...]
    num_files: int
    num_missing: int
    num_broken: int
    num_damaged: int
    num_repeated_rows: int
    splits: Mapping[str, int]
    classes: tuple[ClassCount, ...]
    majority: float
    imbalance: float
    durations: Spread | None
    num_bytes: Spread | None
    frames: Spread | None
    sizes: tuple[ValueCount, ...]
    rates: tuple[ValueCount, ...]
    codecs: tuple[ValueCount, ...]
    broken: tuple[Failure, ...]
    missing: tuple[str, ...]
    missing_hint: str
    duplicates: tuple[DuplicateSet, ...]
    conflicts: tuple[DuplicateSet, ...]
    leaks: tuple[DuplicateSet, ...]
    num_groups: int
    group_leaks: tuple[SharedGroup, ...]
    warnings: tuple[str, ...]
    suggestion: SuggestedSplit | None = None


def summarise(
    parts: Sequence[Dataset],
    facts: Sequence[FileFacts],
    failures: Sequence[Failure],
    *,
    dataset: str,
) -> DatasetReport:
    """What the parts of a data set and the survey of their files say.

    Args:
        parts: the data set, one for each split.
        facts: about the files that can be read.
        failures: of the others, under their paths.
        dataset: where it is.
    """
    samples = [sample for part in parts for sample in part.samples]
    classes = class_counts(parts, facts, failures)
    counts = [c.num_files for c in classes]
    duplicates = find_duplicates(facts)
    missing = [printable(sample.name) for sample in samples if sample.path is None]
    hints = (part.missing_hint for part in parts if part.missing_hint)
    return DatasetReport(
        dataset=dataset,
        layouts=tuple(part.layout for part in parts),
        num_files=len(samples),
        num_missing=len(missing),
        num_broken=len(failures),
        num_damaged=sum(bool(fact.warnings) for fact in facts),
        num_repeated_rows=sum(part.num_duplicates for part in parts),
        splits=_split_counts(samples),
        classes=classes,
        majority=max(counts) / len(samples),
        imbalance=max(counts) / min(counts),
        durations=_spread(fact.duration_seconds for fact in facts if fact.duration_seconds),
        num_bytes=_spread(fact.num_bytes for fact in facts),
        frames=_spread(fact.num_frames for fact in facts),
        sizes=_most_frequent(f"{fact.width}x{fact.height}" for fact in facts),
        rates=_most_frequent(f"{fact.fps:.4g}" for fact in facts if fact.fps),
        codecs=_most_frequent(fact.codec for fact in facts),
        broken=tuple(Failure(printable(f.path), f.kind, f.message) for f in failures),
        missing=tuple(missing),
        missing_hint=next(hints, ""),
        duplicates=duplicates,
        conflicts=tuple(same for same in duplicates if len(same.labels) > 1),
        leaks=tuple(same for same in duplicates if len(same.splits) > 1),
        num_groups=len({sample.group for sample in samples if sample.group}),
        group_leaks=find_shared_groups(samples),
        warnings=_warnings(parts, classes, facts),
    )


def class_counts(
    parts: Sequence[Dataset], facts: Iterable[FileFacts], failures: Iterable[Failure]
) -> tuple[ClassCount, ...]:
    """The classes of all parts, in the order in which they come."""
    seconds: dict[str, float] = {}
    many = any(part.multi_label for part in parts)
    for fact in facts:
        for label in split_label(fact.sample.label) if many else (fact.sample.label,):
            name = normalise_label(label)
            seconds[name] = seconds.get(name, 0.0) + fact.duration_seconds
    bad = {failure.path for failure in failures}
    by_label: dict[str, list[Sample]] = {}
    spelling: dict[str, str] = {}
    for label in (label for part in parts for label in part.classes):
        by_label.setdefault(spelling.setdefault(normalise_label(label), label), [])
    for part in parts:
        for sample in part.samples:
            for label in part.labels_of(sample):
                by_label[spelling[normalise_label(label)]].append(sample)
    return tuple(
        ClassCount(
            label=label,
            num_files=len(files),
            splits=_split_counts(files),
            num_missing=sum(sample.path is None for sample in files),
            num_broken=sum(sample.path in bad for sample in files),
            duration_seconds=seconds.get(normalise_label(label), 0.0),
        )
        for label, files in by_label.items()
    )


def _split_counts(samples: Iterable[Sample]) -> dict[str, int]:
    return dict(Counter(sample.split for sample in samples if sample.split))


def _spread(values: Iterable[float]) -> Spread | None:
    numbers = list(values)
    if not numbers:
        return None
    return Spread(min(numbers), median(numbers), max(numbers), sum(numbers))


def _most_frequent(values: Iterable[str]) -> tuple[ValueCount, ...]:
    return tuple(ValueCount(value, count) for value, count in Counter(values).most_common())


def _warnings(
    parts: Sequence[Dataset], classes: Sequence[ClassCount], facts: Sequence[FileFacts]
) -> tuple[str, ...]:
    """What the data set says about itself, and what stands in the way of learning from it."""
    told = [warning for part in parts for warning in part.warnings]
    if len(classes) == 1:
        told.append(f"all files are of one class, '{classes[0].label}': nothing to tell apart")
    elif all(c.num_files == 1 for c in classes):
        told.append("every class has a single file: nothing is left to validate on")
    else:
        single = [c.label for c in classes if c.num_files == 1]
        if single:
            told.append(f"a single file of {', '.join(map(repr, single[:5]))}")
    splits = [part.split for part in parts]
    for split in splits if len(parts) > 1 else ():
        lacking = [c.label for c in classes if not c.splits.get(split)]
        if lacking:
            told.append(f"no file of {', '.join(map(repr, lacking[:5]))} in {split}")
    damaged = [fact for fact in facts if fact.warnings]
    for fact in damaged[:3]:
        told.append(f"{printable(fact.sample.name)}: {fact.warnings[0]}")
    if len(damaged) > 3:
        told.append(f"{len(damaged) - 3} more files with warnings")
    return tuple(dict.fromkeys(told))
