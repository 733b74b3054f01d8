"""What a line of a list says, and how lines are cut, cleaned and shown in messages."""

import csv
import re
from dataclasses import dataclass

from hiera_cli.errors import UsageError
from hiera_cli.inputs import IMAGE_SUFFIXES, VIDEO_SUFFIXES, printable

SHOWN_CHARACTERS = 120
MEDIA = "|".join(map(re.escape, sorted(VIDEO_SUFFIXES | IMAGE_SUFFIXES)))
SPOKEN = {",": "comma", ";": "semicolon", "\t": "tab", " ": "blanks"}
_MEDIA_END = re.compile(rf".*(?:{MEDIA})", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ListedPath:
    """One line of a list file.

    Attributes:
        path: as written.
        label: a class name, or a class number as text.
        line_number: in the file, from 1; 0 where there is none.
        split, group: what the columns of those names say, else empty.
    """

    path: str
    label: str
    line_number: int = 0
    split: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class ListFile:
    """What a list file says.

    Attributes:
        rows: its lines, in order.
        how: how it was understood, in words.
        names: names of class numbers that the list itself tells, by number.
        columns: the names of its columns; none without a header.
    """

    rows: tuple[ListedPath, ...]
    how: str
    names: tuple[tuple[int, str], ...] = ()
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it stands in the file: its number from 1 and its text."""

    number: int
    text: str


def clean_label(text: str) -> str:
    """A class name without the quotes around it and the blanks at its ends, safe to print."""
    return printable(" ".join(text.split()).strip('"').strip())


def bad_line(source: str, line_number: int, problem: str, *, hint: str = "") -> UsageError:
    """The error for a line that makes no sense."""
    return UsageError(f"'{printable(source)}' line {line_number}: {problem}", hint=hint)


def excerpt(text: str) -> str:
    """A line as it is shown in messages."""
    shown = printable(text)
    return shown if len(shown) <= SHOWN_CHARACTERS else shown[: SHOWN_CHARACTERS - 1] + "…"


def cells_of(text: str, separator: str) -> list[str]:
    """The columns of a line, blanks at their ends kept; quotes keep a separator from separating."""
    try:
        row = next(csv.reader([text], delimiter=separator, skipinitialspace=True), [])
    except csv.Error:
        return [text]
    return row


def is_media_name(text: str) -> bool:
    """Whether a text ends in the suffix of a video or an image."""
    return _MEDIA_END.fullmatch(text) is not None
