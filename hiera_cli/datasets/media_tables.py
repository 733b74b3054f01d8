"""Data sets in Parquet tables with a column of videos or pictures, and one of their labels.

As Hugging Face `datasets` writes them: `data/train-00000-of-00002.parquet`, a column of
`ClassLabel` whose names stand in the file's metadata. Any other table will do whose column of
labels is called so.
"""

# os.path keeps every byte of a name:
# ruff: noqa: PTH112, PTH118, PTH120, PTH208

import os
from collections.abc import Iterable, Sequence
from typing import Any

from hiera_cli.archives import MediaTable, media_table
from hiera_cli.datasets.class_names import SEPARATOR
from hiera_cli.datasets.groups import group_by
from hiera_cli.datasets.listed_classes import LabelOptions, classes_of, names_for
from hiera_cli.datasets.lists.rows import ListedPath, ListFile, clean_label
from hiera_cli.datasets.sample import Dataset, Sample, make_dataset
from hiera_cli.datasets.splits import (
    choose_split,
    own_name,
    split_called,
    split_in_name,
    subfolder_names,
)
from hiera_cli.errors import UsageError
from hiera_cli.inputs import InputPath, printable
from hiera_cli.remote import expand_url, is_remote

_SUFFIX = ".parquet"
_LABELS = ("label", "labels", "class", "class_name", "category", "action")


def media_tables(root: str) -> list[InputPath]:
    """The tables of a data set, each called by its path below `root`; none where there are none.

    They lie in `root`, in its folder `data` or in one that is named after a split; or `root`, whose
    name is then empty, is one.

    Raises:
        UsageError: one of several is damaged, or `root` is no such table.
    """
    if root.lower().endswith(_SUFFIX) and not os.path.isdir(root):
        if media_table(root) is None:
            raise UsageError(
                f"'{printable(root)}' has no column of videos or pictures",
                hint="expected structs of bytes and path, as Hugging Face datasets writes them",
            )
        return [InputPath(root, "")]
    if is_remote(root):
        found = (InputPath(*one) for one in expand_url(root, frozenset({_SUFFIX})))
        return _with_media(one for one in found if one.path.lower().endswith(_SUFFIX))
    folders = [name for name in subfolder_names(root) if name == "data" or split_called(name)]
    return _with_media(one for name in ("", *folders) for one in _tables_in(root, name))


def _tables_in(root: str, folder: str) -> list[InputPath]:
    place = os.path.join(root, folder)
    names = sorted(os.listdir(place)) if os.path.isdir(place) else []
    tables = (name for name in names if name.lower().endswith(_SUFFIX))
    return [InputPath(os.path.join(place, name), os.path.join(folder, name)) for name in tables]


def _with_media(files: Iterable[InputPath]) -> list[InputPath]:
    """Those of the tables that hold videos or pictures; others may lie beside them."""
    found, damaged = [], []
    for file in files:
        try:
            found += [file] if media_table(file.path) else []
        except UsageError as error:
            damaged.append(error)
    if found and damaged:
        raise damaged[0]
    return found


def splits_of_tables(tables: Sequence[InputPath]) -> set[str]:
    """The splits that tables are named after, or the folders that they lie in."""
    return {split for table in tables if (split := _split_of(table))}


def _split_of(table: InputPath) -> str:
    folder = os.path.dirname(table.path)
    return split_in_name(table.path) or split_called(own_name(folder)) or ""


def read_media_tables(
    root: str, tables: Sequence[InputPath], *, split: str | None, options: LabelOptions
) -> Dataset:
    """The rows of the tables, or of those of a split, with their labels.

    Raises:
        UsageError: no column of labels, labels that make no sense, an unclear choice of the split.
        NoInputError: no row has a label.
    """
    present = splits_of_tables(tables)
    chosen = choose_split(present, split, root) if present else ""
    tables = [table for table in tables if not present or _split_of(table) == chosen]
    listed, num_bare = _read_tables(tables, options)
    known, where = names_for(listed, root, tables[0].path, options)
    entries = classes_of(listed.rows, known, root, options)
    samples = [Sample(e.path, _below(e.path, tables), e.label, e.group, e.split) for e in entries]
    if options.group is not None and options.group not in listed.columns:
        samples = group_by(samples, options.group, columns=listed.columns)
    return make_dataset(
        samples,
        f"{len(tables)} Parquet {'tables' if len(tables) > 1 else 'table'} in "
        f"'{printable(root)}' ({listed.how}{where})",
        split=chosen,
        warnings=(f"rows without a label, left out: {num_bare}",) if num_bare else (),
        names=known.names if known else (),
        multi_label=options.multi_label,
    )


def _read_tables(tables: Sequence[InputPath], options: LabelOptions) -> tuple[ListFile, int]:
    """The rows of all tables as those of a list, and how many have no label."""
    rows: list[ListedPath] = []
    num_bare = 0
    for table in tables:
        opened = media_table(table.path)
        if opened is None:
            raise UsageError(f"'{printable(table.path)}' changed while it was read")
        column = _label_column(opened, table.path)
        found, bare = _read_rows(table, opened, column, options)
        rows, num_bare = rows + found, num_bare + bare
        names = tuple(enumerate(map(clean_label, _labels_told(opened.features.get(column)))))
        listed = ListFile(
            tuple(rows),
            f"labels from the column '{printable(column)}'",
            names=names,
            columns=opened.columns,
        )
    return listed, num_bare


def _below(path: str, tables: Sequence[InputPath]) -> str:
    """What a row is called below the data set's root."""
    table = next(one for one in tables if path.startswith(f"{one.path}/"))
    return os.path.join(table.name, path[len(table.path) + 1 :])


def _label_column(table: MediaTable, path: str) -> str:
    told = (name for name in table.columns if _labels_told(table.features.get(name)))
    called = (name for name in _LABELS if name in table.columns)
    found = next(told, None) or next(called, None)
    if found is None:
        columns = ", ".join(map(printable, table.columns))
        raise UsageError(
            f"'{printable(path)}' has no column of labels among {columns}",
            hint=f"call it {_LABELS[0]!r}",
        )
    return found


def _labels_told(feature: Any) -> list[str]:
    """The names of a `ClassLabel`, or of a list of those, in the metadata of `datasets`."""
    if isinstance(feature, list) and len(feature) == 1:
        return _labels_told(feature[0])
    if not isinstance(feature, dict):
        return []
    if feature.get("_type") == "ClassLabel" and isinstance(feature.get("names"), list):
        return [str(name) for name in feature["names"]]
    return _labels_told(feature.get("feature"))


def _read_rows(
    table: InputPath, opened: MediaTable, column: str, options: LabelOptions
) -> tuple[list[ListedPath], int]:
    """The rows that hold something and have a label, and how many have none."""
    labels = opened.read(column)
    has_groups = options.group in opened.columns
    groups = opened.read(str(options.group)) if has_groups else [""] * len(labels)
    rows, num_bare, split = [], 0, _split_of(table)
    for row, name in enumerate(opened.row_names):
        label = "" if name is None else _label_text(labels[row], table.path, options)
        if name is not None and label:
            path = os.path.join(table.path, name)
            rows.append(ListedPath(path, label, row + 1, split, printable(str(groups[row]))))
        num_bare += name is not None and not label
    return rows, num_bare


def _label_text(value: Any, path: str, options: LabelOptions) -> str:
    """A label as lists have it; empty for none, as test sets have -1."""
    if isinstance(value, list):
        if not options.multi_label:
            raise UsageError(
                f"the rows of '{printable(path)}' have several labels",
                hint="fit and dataset read several classes of a video with --multi-label",
            )
        return SEPARATOR.join(filter(None, (_label_text(one, path, options) for one in value)))
    if value is None or (isinstance(value, int) and value < 0):
        return ""
    return clean_label(str(value))
