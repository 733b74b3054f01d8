"""Files of a data set that hold the same bytes, and groups that lie on both sides of a split."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hiera_cli.datasets.sample import Sample
from hiera_cli.inputs import printable
from hiera_cli.tasks.dataset.survey import FileFacts


@dataclass(frozen=True, slots=True)
class DuplicateSet:
    """Files with the same content.

    Attributes:
        paths: their names in the data set, in order.
        labels: the classes that they are given, each once.
        splits: the splits that they lie in, each once; none where nothing is known.
        num_bytes: of one of them.
    """

    paths: tuple[str, ...]
    labels: tuple[str, ...]
    splits: tuple[str, ...]
    num_bytes: int


@dataclass(frozen=True, slots=True)
class SharedGroup:
    """A group that has files in several splits."""

    group: str
    splits: tuple[str, ...]
    num_files: int


def find_duplicates(facts: Iterable[FileFacts]) -> tuple[DuplicateSet, ...]:
    """Sets of files with equal bytes, in order of their first files."""
    by_content: dict[tuple[int, str], list[FileFacts]] = {}
    for fact in facts:
        if fact.digest:
            by_content.setdefault((fact.num_bytes, fact.digest), []).append(fact)
    return tuple(
        DuplicateSet(
            paths=tuple(printable(fact.sample.name) for fact in same),
            labels=_distinct(fact.sample.label for fact in same),
            splits=_distinct(fact.sample.split for fact in same),
            num_bytes=num_bytes,
        )
        for (num_bytes, _), same in by_content.items()
        if len(same) > 1
    )


def find_shared_groups(samples: Sequence[Sample]) -> tuple[SharedGroup, ...]:
    """Groups with files in more than one split, in alphabetical order."""
    members: dict[str, list[Sample]] = {}
    for sample in samples:
        if sample.group:
            members.setdefault(sample.group, []).append(sample)
    shared = (
        SharedGroup(group, _distinct(sample.split for sample in files), len(files))
        for group, files in sorted(members.items())
    )
    return tuple(group for group in shared if len(group.splits) > 1)


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text))
