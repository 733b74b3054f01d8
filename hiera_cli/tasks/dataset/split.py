"""A split of a data set into parts: every class by its share, what belongs together in one part.

Files of one group, and files with the same content, go to the same part.
"""

# os.path keeps every byte of a name:
# ruff: noqa: PTH100

import csv
import io
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hiera_cli.datasets.sample import Sample
from hiera_cli.errors import UsageError
from hiera_cli.files import output_errors, write_bytes

TABLE = "split.csv"


@dataclass(frozen=True, slots=True)
class SplitPart:
    """A part of a split.

    Attributes:
        name: `train`, `val` or as the user calls it.
        share: of the files that was asked for; what is left, for `train`.
        num_files: that it has.
        classes: files of each class.
    """

    name: str
    share: float
    num_files: int
    classes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class SuggestedSplit:
    """A division of a data set.

    Attributes:
        parts: `train` first.
        num_units: sets of files that stay together, those of one file among them.
        folder: where it was written; None where it was not.
    """

    parts: tuple[SplitPart, ...]
    num_units: int
    folder: str | None = None


def check_shares(shares: Mapping[str, float]) -> None:
    """Refuse shares that leave nothing to train on.

    Raises:
        UsageError: a share out of range, all of them together too much, or one called `train`.
    """
    if "train" in shares:
        raise UsageError("train gets what is left", hint="say --write-split val=0.2")
    for name, share in shares.items():
        if not 0 < share < 1:
            raise UsageError(f"the share of {name} must lie between 0 and 1, not {share:g}")
    if sum(shares.values()) >= 1:
        raise UsageError("the shares leave nothing to train on", hint="say --write-split val=0.2")


def divide(
    samples: Sequence[Sample],
    shares: Mapping[str, float],
    *,
    together: Iterable[Sequence[str]] = (),
    seed: int = 0,
) -> dict[str, list[Sample]]:
    """Divide samples into `train` and the parts that shares are given for.

    The largest units are dealt out first, in random order among equal ones: each goes to the part
    that lacks most of the unit's classes, as far as the part has room for them. Each class has a
    file in every part, if it has enough files and groups allow it.

    Args:
        samples: existing ones.
        shares: share of the files, by part; what is left is `train`.
        together: names of files that must not be parted, besides those of one group.
        seed: of the order.

    Returns:
        the samples of each part, in the order given; `train` first.
    """
    units = _units(samples, together)
    lacking = _wanted(Counter(sample.label for sample in samples), shares)
    order = np.random.default_rng(seed).permutation(len(units))
    part_of: dict[str, str] = {}
    for index in sorted(order, key=lambda index: -len(units[index])):
        unit = units[index]
        counts = Counter(sample.label for sample in unit)
        gains = {
            name: sum(_gain(lacking[name, label], count) for label, count in counts.items())
            for name in shares
        }
        best = max(gains, key=lambda name: gains[name])
        part = best if gains[best] > 0 else "train"
        part_of.update((sample.name, part) for sample in unit)
        if part != "train":
            for label, count in counts.items():
                lacking[part, label] -= count
    parts: dict[str, list[Sample]] = {"train": [], **{name: [] for name in shares}}
    for sample in samples:
        parts[part_of[sample.name]].append(sample)
    return parts


def _wanted(totals: Mapping[str, int], shares: Mapping[str, float]) -> dict[tuple[str, str], float]:
    """Files of each class that each part should have: one at least, and one left for `train`."""
    wanted = {}
    for label, total in totals.items():
        left = total - 1
        for name, share in shares.items():
            wanted[name, label] = float(min(max(round(share * total), 1), left))
            left -= int(wanted[name, label])
    return wanted


def _gain(lacking: float, count: int) -> float:
    """How much nearer a part comes to what it should have of a class, in files."""
    return abs(lacking) - abs(lacking - count)


def describe(
    parts: Mapping[str, Sequence[Sample]],
    shares: Mapping[str, float],
    *,
    num_units: int,
    folder: str | None = None,
) -> SuggestedSplit:
    """The record of a division."""
    left = 1 - sum(shares.values())
    return SuggestedSplit(
        parts=tuple(
            SplitPart(
                name=name,
                share=shares.get(name, left),
                num_files=len(files),
                classes=dict(sorted(Counter(sample.label for sample in files).items())),
            )
            for name, files in parts.items()
        ),
        num_units=num_units,
        folder=folder,
    )


def count_units(samples: Sequence[Sample], together: Iterable[Sequence[str]]) -> int:
    """How many sets of files stay together, those of a single file among them."""
    return len(_units(samples, together))


def _units(samples: Sequence[Sample], together: Iterable[Sequence[str]]) -> list[list[Sample]]:
    """Sets of files that stay together: by group, by content, and by both in a chain."""
    parent = {sample.name: sample.name for sample in samples}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    first_of: dict[str, str] = {}
    for sample in samples:
        if sample.group:
            parent[root(sample.name)] = root(first_of.setdefault(sample.group, sample.name))
    for names in together:
        known = [name for name in names if name in parent]
        for name in known[1:]:
            parent[root(name)] = root(known[0])
    units: dict[str, list[Sample]] = {}
    for sample in samples:
        units.setdefault(root(sample.name), []).append(sample)
    return list(units.values())


def write_split(parts: Mapping[str, Sequence[Sample]], folder: Path) -> None:
    """Write a list of each part, and one of all with a column for the part.

    `train.csv`, `val.csv` … and `split.csv` have the columns path, label, split and, where it is
    known, group; paths are absolute. The folder is a data set for every command that takes one.

    Raises:
        OutputError: it cannot be written.
    """
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for name, files in parts.items():
        write_bytes(folder / f"{name}.csv", _table({name: files}))
    write_bytes(folder / TABLE, _table(parts))


def _table(parts: Mapping[str, Sequence[Sample]]) -> bytes:
    grouped = any(sample.group for files in parts.values() for sample in files)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["path", "label", "split", *(["group"] if grouped else [])])
    for name, files in parts.items():
        for sample in files:
            path = os.path.abspath(sample.path or sample.name)
            writer.writerow([path, sample.label, name, *([sample.group] if grouped else [])])
    return text.getvalue().encode("utf-8", "surrogateescape")
