"""Data sets that a list file describes: its rows with their files, names, splits and groups."""

# os.path keeps every byte of a name, and says no where Path raises:
# ruff: noqa: PTH118, PTH120

import os
import re
from collections.abc import Sequence

from hiera_cli.datasets.groups import group_by
from hiera_cli.datasets.listed_classes import LabelOptions, classes_of, names_for
from hiera_cli.datasets.lists.read import read_list
from hiera_cli.datasets.lists.rows import ListedPath, ListFile, bad_line
from hiera_cli.datasets.locate import Locator, nearest
from hiera_cli.datasets.sample import Dataset, Sample, absolute, make_dataset
from hiera_cli.datasets.splits import choose_split, split_in_name
from hiera_cli.datasets.text import open_lines
from hiera_cli.inputs import printable

_RAW_BYTE = re.compile(r"\\x[89a-f][0-9a-f]")  # as `printable` writes bytes that are no UTF-8


def read_listed(
    root: str, annotations: str, *, split: str | None, options: LabelOptions
) -> Dataset:
    """The videos of a list; relative paths start at `root`, at the list, or where the user is.

    Raises:
        UsageError: lines that cannot be understood, labels that do not fit the class names, or an
            unclear choice of the split.
        NoInputError: the list is empty.
    """
    listed = _read(root, annotations, options.group)
    names, where = names_for(listed, root, annotations, options)
    entries = classes_of(listed.rows, names, annotations, options)
    present = {entry.split for entry in entries if entry.split}
    _refuse_rows_without_split(entries, present, annotations)
    chosen = choose_split(present, split, annotations) if present else ""
    entries = [entry for entry in entries if entry.split == chosen] if chosen else entries
    base = _best_base(root, annotations, entries)
    locator = Locator(base)
    paths = [locator.find(entry.path) for entry in entries]
    samples = [
        Sample(path, entry.path, entry.label, entry.group, entry.split)
        for entry, path in zip(entries, paths, strict=True)
    ]
    if options.group is not None and not any(sample.group for sample in samples):
        samples = group_by(samples, options.group, columns=listed.columns)
    missing = [entry for entry, path in zip(entries, paths, strict=True) if path is None]
    hint = _looked_for(missing[0], base) if missing else ""
    warnings = locator.warnings
    odd = next((row for row in listed.rows if _RAW_BYTE.search(row.label)), None)
    if odd is not None:
        warnings += (
            f"line {odd.line_number}: the label '{odd.label}' is no UTF-8, so it is not the same "
            "as the name it stands for elsewhere; save the list as UTF-8",
        )
    if 0 < len(missing) < len(entries):
        warnings += (f"{len(missing)} of {len(entries)} videos are missing: {hint}",)
    return make_dataset(
        samples,
        f"list '{printable(annotations)}' ({listed.how}{where}), paths from '{absolute(base)}'",
        split=chosen or split_in_name(annotations),
        warnings=warnings,
        names=names.names if names else (),
        missing_hint=hint,
        multi_label=options.multi_label,
    )


def listed_splits(annotations: str) -> tuple[str, ...]:
    """The splits that a list's column names.

    Raises:
        UsageError: lines that cannot be understood.
    """
    return tuple({row.split for row in _read(os.curdir, annotations, None).rows if row.split})


def _read(root: str, annotations: str, group: str | None) -> ListFile:
    locator = Locator(root)
    return read_list(
        open_lines(annotations),
        source=annotations,
        group=group,
        exists=lambda path: locator.find(path) is not None,
    )


def _refuse_rows_without_split(
    entries: Sequence[ListedPath], present: set[str], source: str
) -> None:
    bare = next((entry for entry in entries if present and not entry.split), None)
    if bare is not None:
        raise bad_line(
            source, bare.line_number, f"no split for '{printable(bare.path)}', others have one"
        )


def _best_base(root: str, annotations: str, entries: Sequence[ListedPath]) -> str:
    """The folder that most of the paths start at: the root, the list's own, the current one."""
    own = os.path.dirname(annotations) or os.curdir
    best, most = root, -1
    for base in dict.fromkeys([root, os.curdir, own]):
        locator = Locator(base)
        count = sum(locator.find(entry.path) is not None for entry in entries)
        if count > most:
            best, most = base, count
        if count == len(entries):
            break
    return best


def _looked_for(entry: ListedPath, base: str) -> str:
    """Where a missing video was looked for, and what is nearest."""
    wanted = absolute(os.path.join(base, entry.path))
    near = nearest(entry.path, base)
    closest = f"the nearest that exists is '{absolute(near)}'" if near else "nothing like it exists"
    return f"line {entry.line_number}: '{wanted}' was looked for; {closest}"
