"""What the labels of listed videos mean: names, numbers, several of them, one of them wrong."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from hiera_cli.datasets.class_names import (
    SEPARATOR,
    is_class_number,
    normalise_label,
    split_label,
)
from hiera_cli.datasets.lists.rows import ListedPath, ListFile, bad_line
from hiera_cli.datasets.names_file import ClassNames, find_class_names, read_class_names
from hiera_cli.errors import UsageError
from hiera_cli.inputs import printable


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


def names_for(
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


def classes_of(
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
