"""Data sets that a list file describes: its rows with their files, names, splits and groups."""

# os.path keeps every byte of a name, and says no where Path raises:
# ruff: noqa: PTH118, PTH120

import difflib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from hiera_cli.datasets.class_names import (
    SEPARATOR,
    is_class_number,
    normalise_label,
    split_label,
)
from hiera_cli.datasets.groups import group_by
from hiera_cli.datasets.lists.read import read_list
from hiera_cli.datasets.lists.rows import ListedPath, ListFile, bad_line
from hiera_cli.datasets.locate import Locator, nearest
from hiera_cli.datasets.names_file import ClassNames, find_class_names, read_class_names
from hiera_cli.datasets.sample import Dataset, Sample, absolute, make_dataset
from hiera_cli.datasets.splits import choose_split, split_in_name
from hiera_cli.datasets.text import open_lines
from hiera_cli.errors import UsageError
from hiera_cli.inputs import printable

_RAW_BYTE = re.compile(r"\\x[89a-f][0-9a-f]")  # as `printable` writes bytes that are no UTF-8


@dataclass(frozen=True, slots=True)
class LabelOptions:
    """What a user says about the labels of a list.

    Attributes:
        class_names: a file with the names of numbered classes; None: searched for.
        group: the column, or a regular expression over names, that says what belongs together.
        labels_from: the number of the first class.
        multi_label: whether a video may have several classes, separated by `;`.
    """

    class_names: str | None = None
    group: str | None = None
    labels_from: int = 0
    multi_label: bool = False


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
    names, where = _names_for(listed, root, annotations, options)
    entries = _classes_of(listed.rows, names, annotations, options)
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


# ------------------------------------------------------------------------------------- class names


def _names_for(
    listed: ListFile, root: str, annotations: str, options: LabelOptions
) -> tuple[ClassNames | None, str]:
    """The names of the classes, and where they come from, in words.

    The list's own come last: what the user names counts first. Files that merely lie about are
    looked for where labels are numbers.
    """
    cells = (split_label(row.label) if options.multi_label else (row.label,) for row in listed.rows)
    numbered = all(is_class_number(label) for labels in cells for label in labels)
    if options.class_names is not None:
        return _told(read_class_names(options.class_names))
    if listed.names:
        numbers = [number for number, _ in listed.names]
        if numbers == list(range(numbers[0], numbers[0] + len(numbers))) and numbers[0] < 2:
            names = tuple(name for _, name in listed.names)
            return ClassNames(names, numbers[0], annotations), ", class names from itself"
    found = find_class_names(annotations, root) if numbered and listed.rows else None
    return _told(read_class_names(found)) if found else (None, "")


def _told(names: ClassNames) -> tuple[ClassNames, str]:
    return names, f", {len(names.names)} class names from '{printable(names.source)}'"


def _classes_of(
    rows: Sequence[ListedPath], names: ClassNames | None, source: str, options: LabelOptions
) -> list[ListedPath]:
    """The rows with their classes as `_with_names` has them, each of several by itself."""
    if not options.multi_label:
        return _with_names(rows, names, source, options)
    for row in rows:
        _refuse_blanks_between_numbers(row, source)
    counts = [len(split_label(row.label)) for row in rows]
    single = [replace(row, label=label) for row in rows for label in split_label(row.label)]
    named = iter(_with_names(single, names, source, options))
    return [
        replace(row, label=SEPARATOR.join(part.label for part in islice(named, count)))
        for row, count in zip(rows, counts, strict=True)
    ]


def _refuse_blanks_between_numbers(row: ListedPath, source: str) -> None:
    parts = split_label(row.label)
    if any(len(words := part.split()) > 1 and all(map(is_class_number, words)) for part in parts):
        raise bad_line(
            source,
            row.line_number,
            f"the label '{row.label}' is several numbers",
            hint="separate the classes of a video by `;`, as in 3;7",
        )
    if not parts:
        raise bad_line(source, row.line_number, f"no class in the label '{row.label}'")


def _with_names(
    rows: Sequence[ListedPath], names: ClassNames | None, source: str, options: LabelOptions
) -> list[ListedPath]:
    """The rows with their classes by name where names are known, else by number from 0.

    Raises:
        UsageError: numbers beside names, or a label that is no class; the first line is shown.
    """
    if names is not None:
        spelled = {normalise_label(name): name for name in names.names}
        if all(normalise_label(row.label) in spelled for row in rows):
            return [replace(row, label=spelled[normalise_label(row.label)]) for row in rows]
    _refuse_mixed_labels(rows, source)
    if not all(is_class_number(row.label) for row in rows):
        if names is not None:
            _refuse_unknown_name(rows, names, source)
        return list(rows)
    if names is None:
        return [_counted(row, options.labels_from, source) for row in rows]
    first = max(names.first, options.labels_from)
    return [_named(row, names, first, source) for row in rows]


def _refuse_mixed_labels(rows: Sequence[ListedPath], source: str) -> None:
    numbers = [row for row in rows if is_class_number(row.label)]
    named = [row for row in rows if not is_class_number(row.label)]
    if not numbers or not named:
        return
    odd, kind = (named[0], "a name") if len(named) <= len(numbers) else (numbers[0], "a number")
    usual = "numbers" if kind == "a name" else "names"
    parts = split_label(named[0].label)
    hint = "label all videos by name or all by number; give numbers names with --class-names"
    if len(parts) > 1 and all(map(is_class_number, parts)):
        hint = "fit and dataset read several classes of a video with --multi-label"
    raise bad_line(
        source,
        odd.line_number,
        f"'{odd.label}' is {kind}, but {max(len(numbers), len(named))} of {len(rows)} labels are "
        f"{usual}",
        hint=hint,
    )


def _refuse_unknown_name(rows: Sequence[ListedPath], names: ClassNames, source: str) -> None:
    known = {normalise_label(name): name for name in names.names}
    odd = next(row for row in rows if normalise_label(row.label) not in known)
    close = difflib.get_close_matches(normalise_label(odd.label), known, n=1)
    raise bad_line(
        source,
        odd.line_number,
        f"'{odd.label}' is none of the {len(known)} classes in '{printable(names.source)}'",
        hint=f"did you mean '{known[close[0]]}'?" if close else "add it there, or correct the line",
    )


def _named(row: ListedPath, names: ClassNames, first: int, source: str) -> ListedPath:
    index, last = int(row.label) - first, first + len(names.names) - 1
    if 0 <= index < len(names.names):
        return replace(row, label=names.names[index])
    beyond_by_one = int(row.label) == last + 1 and first == 0
    raise bad_line(
        source,
        row.line_number,
        f"class {row.label} is unknown: '{printable(names.source)}' names {first} to {last}",
        hint="if the numbers count from 1, add --labels-from 1"
        if beyond_by_one
        else "choose the right names with --class-names FILE",
    )


def _counted(row: ListedPath, first: int, source: str) -> ListedPath:
    if int(row.label) < first:
        raise bad_line(source, row.line_number, f"class {row.label} with --labels-from {first}")
    return replace(row, label=str(int(row.label) - first))


def check_labels_from(labels_from: int) -> None:
    """Refuse a first class number that no list has.

    Raises:
        UsageError: neither 0 nor 1.
    """
    if labels_from not in (0, 1):
        raise UsageError(f"--labels-from is {labels_from}", hint="class numbers begin at 0 or 1")
