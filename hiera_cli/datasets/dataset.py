"""Labelled data sets on disk: which video belongs to which class, missing ones kept.

Layouts, found automatically: a Kinetics folder with its annotation CSV, list files, and one folder
a class (videos, or images where there is no video); given by name, Something-Something's JSON
files. A `Dataset` says in words what was found.
"""

# ruff: noqa: PTH100, PTH110, PTH112, PTH113, PTH118, PTH119, PTH120, PTH122, PTH208

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from hiera_cli.archives import split_archive
from hiera_cli.datasets.annotations import (
    KineticsRow,
    clean_label,
    clip_key,
    is_kinetics_csv,
    open_lines,
    read_kinetics,
    read_list,
)
from hiera_cli.datasets.class_names import is_class_number, normalise_label
from hiera_cli.datasets.something_something import read_something
from hiera_cli.datasets.splits import (
    choose_split_folder,
    own_name,
    split_aliases,
    split_called,
    split_folder,
)
from hiera_cli.errors import NoInputError, UsageError
from hiera_cli.inputs import IMAGE_SUFFIXES, VIDEO_SUFFIXES, InputPath, expand_inputs, printable

__all__ = ["Dataset", "Sample", "normalise_label", "read_dataset"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One video or image that the data set promises.

    Attributes:
        path: the file; None when it does not exist.
        name: its path below the data set's folder; for a missing clip, what it would be called.
        label: its class, spelled as in `Dataset.classes`.
    """

    path: str | None
    name: str
    label: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a data set promises and what is there.

    Attributes:
        samples: every distinct video, in a stable order.
        classes: the class names in sorted order; for `indexed` data sets, numbers as text.
        layout: a sentence that says how the data set was read.
        split: `val`, `train`, `test` or another name where one is known, else empty.
        indexed: whether labels are class numbers rather than names.
        is_something: whether it is Something-Something, which has recipes of its own.
        num_duplicates: further rows for a video that already had one; left out.
        warnings: what a careful reader should know.
    """

    samples: tuple[Sample, ...]
    classes: tuple[str, ...]
    layout: str
    split: str = ""
    indexed: bool = False
    is_something: bool = False
    num_duplicates: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def num_missing(self) -> int:
        """How many samples have no file."""
        return sum(sample.path is None for sample in self.samples)


def read_dataset(root: str, *, annotations: str | None = None, split: str | None = None) -> Dataset:
    """The data set at `root`, whatever its layout.

    Args:
        root: a folder, a zip archive of pictures, a Kinetics CSV, or a list file.
        annotations: the CSV or list that labels the videos below `root`; searched for if None.
        split: `train`, `val` or `test` (`validate`: `val`); None: `val` where there are several.

    Raises:
        UsageError: nothing there, an annotation file that makes no sense, an unclear choice.
        NoInputError: no video or image.
    """
    if annotations is None and split_archive(root):
        return _class_folders(root, split)
    if annotations is None and os.path.isfile(root):
        return _annotated(_folder_of(root), root, split)
    if not os.path.isdir(root):
        raise UsageError(
            f"no data set at '{printable(root)}'",
            hint="give a folder with one subfolder a class, a Kinetics folder, or a list file",
        )
    annotations = annotations or _find_annotations(root, split)
    if annotations is not None:
        return _annotated(root, annotations, split)
    return _class_folders(root, split)


def _annotated(root: str, annotations: str, split: str | None) -> Dataset:
    if annotations.lower().endswith(".json"):
        return _something(root, annotations)
    if is_kinetics_csv(annotations):
        return _kinetics(root, annotations, split)
    return _listed(root, annotations)


def _folder_of(annotations: str) -> str:
    """The folder that an annotation file given alone speaks about."""
    folder = os.path.dirname(annotations) or "."
    if own_name(folder) == "annotations":
        return os.path.join(folder, os.pardir)
    return folder


def _find_annotations(root: str, split: str | None) -> str | None:
    """The annotation file in, beside or above a folder of videos; None when there is none.

    Raises:
        UsageError: several files fit.
    """
    places = [root, os.path.join(root, "annotations")]
    if own_split := split_called(own_name(root)):
        parent = os.path.join(root, os.pardir)
        places += [parent, os.path.join(parent, "annotations")]
    wanted = split_aliases(own_split or split or "val")
    for place in places:
        tables = [path for path in _texts_in(place) if is_kinetics_csv(path)]
        lists = [path for path in _texts_in(place) if _stem(path) in wanted]
        fitting = [path for path in tables if wanted & _words(path)] or tables or lists
        if len(fitting) > 1:
            raise UsageError(
                f"several annotation files fit: {', '.join(map(printable, fitting))}",
                hint="choose one with --annotations FILE",
            )
        if fitting:
            return fitting[0]
    return None


def _texts_in(folder: str) -> list[str]:
    if not os.path.isdir(folder):
        return []
    paths = (os.path.join(folder, name) for name in sorted(os.listdir(folder)))
    return [path for path in paths if path.lower().endswith((".csv", ".txt"))]


def _stem(path: str) -> str:
    return os.path.splitext(os.path.basename(path))[0].lower()


def _words(path: str) -> set[str]:
    return set(re.split(r"[^a-z]+", _stem(path)))


def _split_in_name(path: str) -> str:
    """The split that a file such as `kinetics_val_list.txt` is called after; empty if none is."""
    called = (split_called(word) for word in sorted(_words(path)))
    return next((name for name in called if name), "")


def _kinetics(root: str, annotations: str, split: str | None) -> Dataset:
    rows = list(read_kinetics(open_lines(annotations), source=annotations))
    chosen, split_name = _rows_of_split(rows, annotations, split)
    folder = split_folder(root, split_name) or root
    files: dict[object, str] = {}
    for found in expand_inputs([folder], suffixes=VIDEO_SUFFIXES):
        files.setdefault(clip_key(found.name), found.path)
    samples = []
    for row in chosen:
        path = files.get(row.key)
        name = os.path.relpath(path, root) if path else row.key.stem
        samples.append(Sample(path, name, row.label))
    layout = f"Kinetics annotations '{printable(annotations)}' ({split_name or 'one'} split)"
    return _dataset(samples, f"{layout}, videos in '{printable(folder)}'", split=split_name)


def _something(root: str, annotations: str) -> Dataset:
    """Something-Something-v2: videos anywhere below `root`, named after their numbers."""
    rows = read_something("".join(open_lines(annotations)), source=annotations)
    found = expand_inputs([root], suffixes=VIDEO_SUFFIXES)
    files = {os.path.splitext(os.path.basename(file.path))[0]: file.path for file in found}
    samples = []
    for row in rows:
        path = files.get(row.video_id)
        name = os.path.relpath(path, root) if path else row.video_id
        samples.append(Sample(path, name, row.label))
    split = _split_in_name(annotations)
    what = f"Something-Something labels '{printable(annotations)}'"
    layout = f"{what}, videos in '{printable(root)}'"
    return replace(_dataset(samples, layout, split=split), is_something=True)


def _rows_of_split(
    rows: list[KineticsRow], annotations: str, split: str | None
) -> tuple[list[KineticsRow], str]:
    """The rows that belong to the split, and the split's name in the file.

    Raises:
        UsageError: the file has no such split, or several and none is called for.
    """
    present = sorted({row.split for row in rows if row.split})
    if not present:
        return rows, split or _split_in_name(annotations)
    if split is None and len(present) == 1:
        split = present[0]
    wanted = split_aliases(split or "val")
    chosen = [row for row in rows if row.split in wanted]
    if not chosen:
        raise UsageError(
            f"'{printable(annotations)}' has no split '{split or 'val'}'",
            hint=f"choose with --split: {', '.join(map(printable, present))}",
        )
    return chosen, chosen[0].split


def _listed(root: str, annotations: str) -> Dataset:
    """Videos from a list; relative paths start at `root`, or where the user is if none fits."""
    entries = list(read_list(open_lines(annotations), source=annotations))
    base = root
    if not any(os.path.exists(os.path.join(root, entry.path)) for entry in entries):
        base = os.curdir if any(os.path.exists(entry.path) for entry in entries) else root
    samples = []
    for entry in entries:
        path = os.path.normpath(os.path.join(base, entry.path))
        samples.append(Sample(path if os.path.exists(path) else None, entry.path, entry.label))
    where = printable(os.path.abspath(base))
    layout = f"list '{printable(annotations)}', paths from '{where}'"
    return _dataset(samples, layout, split=_split_in_name(annotations))


def _class_folders(root: str, split: str | None) -> Dataset:
    folder = choose_split_folder(root, split)
    videos = [] if split_archive(folder) else list(expand_inputs([folder], suffixes=VIDEO_SUFFIXES))
    found = videos or list(expand_inputs([folder], suffixes=IMAGE_SUFFIXES))
    inside = [file for file in found if os.sep in file.name]
    if not inside:
        raise NoInputError(
            f"no class folders with videos or images in '{printable(folder)}'",
            hint="expected one subfolder a class, or give the labels with --annotations FILE",
        )
    samples = [_foldered(file, os.path.relpath(folder, root)) for file in inside]
    outside = len(found) - len(inside)
    warnings = (f"{outside} files beside the class folders are left out",) if outside else ()
    split = split_called(own_name(folder)) or ""
    return _dataset(samples, f"class folders in '{printable(folder)}'", warnings, split=split)


def _foldered(file: InputPath, below: str) -> Sample:
    name = os.path.normpath(os.path.join(below, file.name))
    return Sample(file.path, name, clean_label(file.name.split(os.sep, 1)[0]))


def _dataset(
    samples: Iterable[Sample], layout: str, warnings: tuple[str, ...] = (), *, split: str
) -> Dataset:
    """Leave out repeated rows, give every class one spelling, and put the classes in order."""
    kept: dict[str, Sample] = {}
    spelling: dict[str, str] = {}
    num_rows = num_conflicts = 0
    for sample in samples:
        num_rows += 1
        label = spelling.setdefault(normalise_label(sample.label), sample.label)
        first = kept.setdefault(sample.path or sample.name, Sample(sample.path, sample.name, label))
        num_conflicts += first.label != label
    if not kept:
        raise NoInputError(f"{layout}: nothing is listed there")
    if num_conflicts:
        warnings += (f"{num_conflicts} repeated rows contradict the label of the first",)
    indexed = all(map(is_class_number, spelling.values()))
    return Dataset(
        samples=tuple(kept.values()),
        classes=tuple(sorted({s.label for s in kept.values()}, key=int if indexed else _order)),
        layout=layout,
        split=split_called(split) or split,
        indexed=indexed,
        num_duplicates=num_rows - len(kept),
        warnings=warnings,
    )


def _order(label: str) -> tuple[str, str]:
    return normalise_label(label), label
