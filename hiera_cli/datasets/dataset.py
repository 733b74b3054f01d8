"""Labelled data sets on disk: which video belongs to which class, missing ones kept.

Layouts, found automatically: a Kinetics folder with its annotation CSV, list files, iNaturalist's
JSON files, Places365's lists, Parquet tables with videos in them, and one folder a class (videos,
or images where there is no video); given by name, Something-Something's JSON files. A `Dataset`
says in words what was found.
"""

# os.path keeps every byte of a name, and says no where Path raises:
# ruff: noqa: PTH112, PTH113, PTH118, PTH119, PTH120, PTH122, PTH208

import os

from hiera_cli.archives import split_archive
from hiera_cli.datasets.annotations import is_kinetics_csv
from hiera_cli.datasets.by_name import (
    kinetics_splits,
    read_kinetics_folder,
    read_something_folder,
)
from hiera_cli.datasets.class_folders import read_class_folders
from hiera_cli.datasets.class_names import normalise_label
from hiera_cli.datasets.inaturalist import inaturalist_files, is_inaturalist, read_inaturalist
from hiera_cli.datasets.listed import listed_splits, read_listed
from hiera_cli.datasets.listed_classes import LabelOptions, check_labels_from
from hiera_cli.datasets.lists.read import is_list_table
from hiera_cli.datasets.media_tables import media_tables, read_media_tables, splits_of_tables
from hiera_cli.datasets.places import is_places_list, places_lists, read_places
from hiera_cli.datasets.sample import Dataset, Sample
from hiera_cli.datasets.splits import (
    choose_split,
    own_name,
    split_aliases,
    split_called,
    split_in_name,
    split_names,
    words_of,
)
from hiera_cli.errors import UsageError
from hiera_cli.inputs import printable
from hiera_cli.remote import is_remote

__all__ = ["Dataset", "Sample", "normalise_label", "read_dataset", "splits_of"]

SPLITS = ("train", "val", "test")
_LIST_SUFFIXES = frozenset({".csv", ".json", ".list", ".tsv", ".txt"})
_TABLE_NAMES = frozenset({"annotations", "dataset", "labels", "metadata", "split", "splits"})


def read_dataset(
    root: str,
    *,
    annotations: str | None = None,
    split: str | None = None,
    class_names: str | None = None,
    group: str | None = None,
    labels_from: int = 0,
    multi_label: bool = False,
) -> Dataset:
    """The data set at `root`, whatever its layout.

    Args:
        root: a folder, a zip archive of pictures, a Kinetics CSV, a list file or a Parquet table.
        annotations: the CSV or list that labels the videos below `root`; searched for if None.
        split: `train`, `val` or `test` (`validate` means `val`); if None, `val` where there are
            several. `splits_of` says which there are.
        class_names: a file with the names of numbered classes; searched for beside a list if None.
        group: the column of a list that says which videos belong together, or a regular expression
            over `Sample.name` whose first group (or whole match) says it; None for a list's column
            `group`.
        labels_from: the number of the first class in a list.
        multi_label: whether the videos of a list may have several classes, separated by `;`.

    Raises:
        UsageError: nothing there, an annotation file that makes no sense, an unclear choice.
        NoInputError: no video or image.
    """
    check_labels_from(labels_from)
    options = LabelOptions(class_names, group, labels_from, multi_label)
    if annotations is None and (split_archive(root) or _is_remote_folder(root)):
        return _read_unlisted(root, split, options)
    if annotations is None and (os.path.isfile(root) or is_remote(root)):
        return _annotated(_folder_of(root), root, split, options)
    if not os.path.isdir(root) and not is_remote(root):
        raise UsageError(
            f"no data set at '{printable(root)}'",
            hint="give a folder with one subfolder a class, a Kinetics folder, or a list file",
        )
    annotations = annotations or _find_annotations(root, split)
    if annotations is not None:
        return _annotated(root, annotations, split, options)
    return _read_unlisted(root, split, options)


def _read_unlisted(root: str, split: str | None, options: LabelOptions) -> Dataset:
    """A data set without a list: Parquet tables, or class folders."""
    tables = media_tables(root)
    if tables:
        return read_media_tables(root, tables, split=split, options=options)
    return read_class_folders(root, split=split, group=options.group)


def splits_of(root: str, *, annotations: str | None = None) -> tuple[str, ...]:
    """The splits that a data set holds, as names for `read_dataset(split=...)`; none if undivided.

    `train`, `val` and `test` come first, whatever the data set calls them.

    Raises:
        UsageError: an annotation file that makes no sense.
    """
    if annotations is None and _is_remote_folder(root):
        found = splits_of_tables(media_tables(root)) or split_names(root)
    elif annotations is None and (os.path.isdir(root) or split_archive(root)):
        found = _splits_below(root)
    else:
        found = _splits_within(annotations or root)
    called = {split_called(name) or name for name in found}
    return (*(name for name in SPLITS if name in called), *sorted(called - set(SPLITS)))


def _splits_below(root: str) -> set[str]:
    """The splits of a folder: in its tables, as lists of that name, or as folders."""
    if known := _known_files(root):
        return set(known)
    for place in (root, os.path.join(root, "annotations")):
        texts = _texts_in(place)
        tables = [path for path in texts if is_kinetics_csv(path) or _is_table(path)]
        within = {name for path in tables for name in _splits_within(path)}
        lists = {split_called(_stem(path)) for path in texts} - {None}
        if within or lists:
            return within or {name for name in lists if name}
    return splits_of_tables(media_tables(root)) or split_names(root)


def _splits_within(annotations: str) -> set[str]:
    is_file = os.path.isfile(annotations) or is_remote(annotations)
    if annotations.lower().endswith(".json") or is_places_list(annotations) or not is_file:
        return set()
    if is_kinetics_csv(annotations):
        return kinetics_splits(annotations)
    return set(listed_splits(annotations))


def _is_remote_folder(root: str) -> bool:
    """Whether a URL means class folders: it has not the suffix of a list."""
    return is_remote(root) and os.path.splitext(root)[1].lower() not in _LIST_SUFFIXES


def _annotated(root: str, annotations: str, split: str | None, options: LabelOptions) -> Dataset:
    if is_places_list(annotations):
        return read_places(root, annotations, group=options.group)
    if is_inaturalist(annotations):
        named = split_in_name(annotations)
        return read_inaturalist(root, annotations, split=named, group=options.group)
    if annotations.lower().endswith(".json"):
        return read_something_folder(root, annotations, group=options.group)
    if is_kinetics_csv(annotations):
        return read_kinetics_folder(root, annotations, split=split, group=options.group)
    return read_listed(root, annotations, split=split, options=options)


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
    known = _known_files(root)
    if known:
        return known[choose_split(known, split, root)]
    places = [root, os.path.join(root, "annotations")]
    own_split = split_called(own_name(root))
    if own_split:
        parent = os.path.join(root, os.pardir)
        places += [parent, os.path.join(parent, "annotations")]
    wanted = split_aliases(own_split or split or "val")
    for place in places:
        texts = _texts_in(place)
        tables = [path for path in texts if is_kinetics_csv(path)]
        lists = [path for path in texts if _stem(path) in wanted]
        fitting = [path for path in tables if wanted & words_of(path)] or tables or lists
        fitting = fitting or [path for path in texts if _is_table(path)]
        if len(fitting) > 1:
            raise UsageError(
                f"several annotation files fit: {', '.join(map(printable, fitting))}",
                hint="choose one with --annotations FILE",
            )
        if fitting:
            return fitting[0]
    return None


def _known_files(root: str) -> dict[str, str]:
    """The files of iNaturalist or Places365 in a folder, by split."""
    return inaturalist_files(root) or places_lists(root)


def _texts_in(folder: str) -> list[str]:
    if not os.path.isdir(folder):
        return []
    paths = (os.path.join(folder, name) for name in sorted(os.listdir(folder)))
    return [path for path in paths if path.lower().endswith((".csv", ".tsv", ".txt"))]


def _is_table(path: str) -> bool:
    """Whether a file is called like a table of the data set, and has the header of one."""
    return _stem(path) in _TABLE_NAMES and is_list_table(path)


def _stem(path: str) -> str:
    return os.path.splitext(os.path.basename(path))[0].lower()
