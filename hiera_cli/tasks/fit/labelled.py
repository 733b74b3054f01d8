"""Which videos are fitted to, with their classes and groups, from a data set or a label file."""

# os.path keeps every byte of a name:
# ruff: noqa: PTH100, PTH119

import csv
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from hiera_cli.checkpoints.labels import read_small_text
from hiera_cli.datasets.class_names import is_class_number, normalise_label
from hiera_cli.datasets.dataset import Dataset, read_dataset
from hiera_cli.datasets.lists.rows import clean_label
from hiera_cli.errors import UsageError
from hiera_cli.inputs import printable

SEPARATOR = ";"
Item = TypeVar("Item")
GroupOf = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class LabelledVideo:
    """One video.

    Attributes:
        path: the file; None where it is not there, or not needed.
        name: what it is called.
        labels: its classes, as in the list of classes.
        group: what it must not be separated from; None: nothing.
    """

    path: str | None
    name: str
    labels: tuple[str, ...]
    group: str | None = None


def of_dataset(data: Dataset, *, group: str | None, multi_label: bool) -> list[LabelledVideo]:
    """The videos of a data set.

    Args:
        data: read with the same `group`, which its layout may have understood as a column.
        group: else a regular expression on the names.
        multi_label: whether a label may be several.

    Raises:
        UsageError: a group that is no regular expression, or that fits no path.
    """
    rows = [(sample.path, sample.name, sample.label) for sample in data.samples]
    known = {sample.name: sample.group for sample in data.samples if sample.group}
    group_of = known.get if known else _group_by_path(group, [name for _, name, _ in rows])
    return _videos(rows, group_of, multi_label=multi_label)


def of_label_file(path: Path, *, group: str | None, multi_label: bool) -> list[LabelledVideo]:
    """The videos of a CSV with the columns path and label, or of any list that is a data set.

    Raises:
        UsageError: a file or a line that makes no sense, or an unknown group.
    """
    table = _read_table(path)
    if table is None:
        data = read_dataset(str(path), group=group)
        return of_dataset(data, group=group, multi_label=multi_label)
    rows = [(None, row["path"], clean_label(row["label"])) for row in table]
    if group is not None and table and group.lower() in table[0]:
        column = {row["path"]: row[group.lower()] for row in table}
        return _videos(rows, column.get, multi_label=multi_label)
    return _videos(rows, _group_by_path(group, [r[1] for r in rows]), multi_label=multi_label)


def _read_table(path: Path) -> list[dict[str, str]] | None:
    """The rows of a CSV with a header that names path and label; None for any other file."""
    lines = read_small_text(path, UsageError).splitlines()
    reader = csv.reader(lines)
    header = [name.strip().lower() for name in next(reader, [])]
    if not {"path", "label"} <= set(header):
        return None
    rows = []
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            where = f"'{printable(str(path))}' line {reader.line_num}"
            raise UsageError(f"{where}: {len(cells)} columns, the header has {len(header)}")
        rows.append(dict(zip(header, (cell.strip() for cell in cells), strict=True)))
    return rows


def _group_by_path(group: str | None, names: Sequence[str]) -> GroupOf:
    """What the group of a path is, by a regular expression."""
    if group is None:
        return lambda _: None
    try:
        pattern = re.compile(group)
    except re.error as error:
        raise UsageError(f"--group {group} is no regular expression: {error}") from error

    def group_of(name: str) -> str | None:
        found = pattern.search(name)
        return None if found is None else (found[1] if pattern.groups else found[0])

    if names and not any(map(group_of, names)):
        raise UsageError(
            f"--group {group} is no column, and fits no path such as '{printable(names[0])}'"
        )
    return group_of


def _videos(
    rows: Iterable[tuple[str | None, str, str]], group_of: GroupOf, *, multi_label: bool
) -> list[LabelledVideo]:
    """A video for each row; several rows of a video are several labels."""
    found: dict[str, LabelledVideo] = {}
    spelling: dict[str, str] = {}
    for path, name, label in rows:
        parts = label.split(SEPARATOR) if multi_label else [label]
        stripped = [part.strip() for part in parts if part.strip()]
        labels = [spelling.setdefault(normalise_label(part), part) for part in stripped]
        before = found[name].labels if name in found else ()
        if before and not multi_label and before != tuple(labels):
            raise UsageError(
                f"'{printable(name)}' has the labels {before[0]} and {label}",
                hint="add --multi-label if a video may have several",
            )
        merged = tuple(dict.fromkeys((*before, *labels)))
        found[name] = LabelledVideo(path, name, merged, group_of(name))
    return list(found.values())


def choose_classes(videos: Sequence[LabelledVideo], names: Sequence[str] | None) -> tuple[str, ...]:
    """The classes in order: numbers by their value, names by the alphabet.

    Args:
        videos: with their labels.
        names: names of numbered classes; None where labels are names.

    Raises:
        UsageError: names for labels that are no numbers, or not one for every number.
    """
    present = {label for video in videos for label in video.labels}
    if names is None:
        numbered = all(map(is_class_number, present))
        return tuple(sorted(present, key=int if numbered else _order))
    known = {normalise_label(name) for name in names}
    for label in sorted(present):
        if is_class_number(label) and int(label) >= len(names):
            raise UsageError(f"class {label} has no name: --class-names has {len(names)} names")
        if not is_class_number(label) and normalise_label(label) not in known:
            raise UsageError(f"class '{label}' is not in --class-names")
    return tuple(names)


def with_names(videos: Iterable[LabelledVideo], names: Sequence[str]) -> list[LabelledVideo]:
    """The videos with names in the place of class numbers."""
    spelling = {normalise_label(name): name for name in names}

    def name_of(label: str) -> str:
        return names[int(label)] if is_class_number(label) else spelling[normalise_label(label)]

    return [LabelledVideo(v.path, v.name, tuple(map(name_of, v.labels)), v.group) for v in videos]


def _order(label: str) -> tuple[str, str]:
    return normalise_label(label), label


def by_table_path(
    videos: Sequence[LabelledVideo], paths: Iterable[str]
) -> dict[str, LabelledVideo]:
    """The labelled video that each path of a table means: the same path, or the same file name.

    File names count only where no path is the same and neither side has one twice.

    Raises:
        UsageError: not one path has a label.
    """
    listed = sorted(set(paths))
    exact = {os.path.normpath(v.name): v for v in videos}
    exact |= {printable(os.path.abspath(v.path)): v for v in videos if v.path}
    found = _where_known(listed, exact, os.path.normpath)
    if not found:
        found = _where_known(listed, _once(videos, lambda v: v.name), os.path.basename)
        single = _once(listed, lambda path: path)
        found = {path: video for path, video in found.items() if os.path.basename(path) in single}
    if not found:
        raise UsageError(
            f"the labels are of other videos: '{printable(videos[0].name)}' is labelled, "
            f"'{printable(listed[0])}' has features",
            hint="paths in the labels are compared with the table's column path",
        )
    return found


def _where_known(
    paths: Iterable[str], known: Mapping[str, LabelledVideo], key_of: Callable[[str], str]
) -> dict[str, LabelledVideo]:
    return {path: known[key_of(path)] for path in paths if key_of(path) in known}


def _once(items: Sequence[Item], path_of: Callable[[Item], str]) -> dict[str, Item]:
    """Items by the file name of their path, where no two have the same."""
    names = [os.path.basename(path_of(item)) for item in items]
    counts = Counter(names)
    return {name: item for name, item in zip(names, items, strict=True) if counts[name] == 1}
