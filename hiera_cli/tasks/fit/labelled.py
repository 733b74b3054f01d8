"""Which videos are fitted to, with their classes and groups."""

# os.path keeps every byte of a name:
# ruff: noqa: PTH100, PTH119

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from hiera_cli.datasets.class_names import is_class_number, normalise_label, split_label
from hiera_cli.datasets.dataset import Dataset
from hiera_cli.errors import UsageError
from hiera_cli.inputs import printable

Item = TypeVar("Item")


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


def labelled_videos(data: Dataset) -> tuple[list[LabelledVideo], tuple[str, ...]]:
    """The videos of a data set, one class each, and the classes in its order."""
    videos = [LabelledVideo(s.path, s.name, (s.label,), s.group or None) for s in data.samples]
    return videos, data.classes


def multi_labelled_videos(data: Dataset) -> tuple[list[LabelledVideo], tuple[str, ...]]:
    """The videos of a data set whose labels are several, separated by `;`, and all classes.

    The classes are in the data set's order; where it takes each cell for one class, numbers by
    their value and names by the alphabet.
    """
    spelling: dict[str, str] = {}
    videos = []
    for sample in data.samples:
        parts = split_label(sample.label)
        labels = [spelling.setdefault(normalise_label(part), part) for part in parts]
        unique = tuple(dict.fromkeys(labels))
        videos.append(LabelledVideo(sample.path, sample.name, unique, sample.group or None))
    if data.multi_label:
        return videos, data.classes
    numbered = all(map(is_class_number, spelling.values()))
    return videos, tuple(sorted(spelling.values(), key=int if numbered else _alphabetical))


def _alphabetical(label: str) -> tuple[str, str]:
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
