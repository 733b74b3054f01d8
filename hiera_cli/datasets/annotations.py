"""Annotation files as text: Kinetics CSV tables and `path label` lists.

Formats: the CSV files of DeepMind and CVDF (`label,youtube_id,time_start,time_end,split`, read by
header, with or without `is_cc`), and the header-less lists of SlowFast, VideoMAE and mmaction2
(`path label`, separated by a space, a comma or a tab). Nothing here looks for the videos.
"""

import csv
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hiera_cli.errors import UsageError
from hiera_cli.inputs import IMAGE_SUFFIXES, VIDEO_SUFFIXES, printable

MAX_LINE_CHARACTERS = 65_536
_KINETICS_COLUMNS = frozenset({"youtube_id", "time_start", "time_end"})
_CLIP_STEM = re.compile(r"(.+)_([0-9]{1,9})_([0-9]{1,9})", re.DOTALL)
_PATH_THEN_INDEX = re.compile(r"(.*[^\s,])(?:[ \t]*,[ \t]*|[ \t]+)([0-9]{1,9})", re.DOTALL)
_PATH_THEN_LABEL = re.compile(r"(.*[^\s,])(?:[ \t]*,[ \t]*|[ \t]+)(\S+)", re.DOTALL)
_MEDIA_THEN_LABEL = re.compile(
    r"(.*(?:" + "|".join(map(re.escape, sorted(VIDEO_SUFFIXES | IMAGE_SUFFIXES))) + r")\"?)"
    r"(?:[ \t]*,[ \t]*|[ \t]+)(\S.*)",
    re.DOTALL | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ClipKey:
    """What identifies a Kinetics clip: a part of a YouTube video, in whole seconds."""

    youtube_id: str
    start_seconds: int
    end_seconds: int

    @property
    def stem(self) -> str:
        """The file name that the downloaders give the clip, without its suffix."""
        return f"{self.youtube_id}_{self.start_seconds:06d}_{self.end_seconds:06d}"


@dataclass(frozen=True, slots=True)
class KineticsRow:
    """One row of a Kinetics CSV; `split` is empty where the file has no such column."""

    key: ClipKey
    label: str
    split: str


@dataclass(frozen=True, slots=True)
class ListedPath:
    """One line of a list file: the path as written and the label, a name or an index."""

    path: str
    label: str


def clip_key(path: str) -> ClipKey | None:
    """The clip that a file name such as `ab-cd_E_f_000010_000020.mp4` names, if it names one."""
    stem = os.path.splitext(os.path.basename(path))[0]  # noqa: PTH119, PTH122 - any bytes
    found = _CLIP_STEM.fullmatch(stem)
    return ClipKey(found[1], int(found[2]), int(found[3])) if found else None


def open_lines(path: str) -> Iterator[str]:
    """The lines of a text file with their ends, bytes that are not UTF-8 surrogate-escaped.

    Raises:
        UsageError: the file cannot be read, or holds NUL bytes or endless lines as videos do.
    """
    if not os.path.isfile(path):  # noqa: PTH113 - opening a FIFO would block
        raise UsageError(f"'{printable(path)}' is not a file")
    try:
        with Path(path).open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            while line := file.readline(MAX_LINE_CHARACTERS):
                if "\0" in line or len(line) == MAX_LINE_CHARACTERS:
                    raise UsageError(
                        f"'{printable(path)}' is not a text file",
                        hint="a data set is a folder, a Kinetics CSV or a list of `path label`",
                    )
                yield line
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read '{printable(path)}': {error}") from error


def is_kinetics_csv(path: str) -> bool:
    """Whether the file begins with the header of a Kinetics CSV; False for unreadable files."""
    try:
        first = next(open_lines(path), "")
    except UsageError:
        return False
    columns = {name.strip().strip('"').lower() for name in first.split(",")}
    return columns >= _KINETICS_COLUMNS


def read_kinetics(lines: Iterable[str], *, source: str) -> Iterator[KineticsRow]:
    """The rows of a Kinetics CSV.

    Args:
        lines: the file's lines, the header first.
        source: the file's name, for error messages.

    Raises:
        UsageError: a missing column (a test CSV may lack `label`), or a row that makes no sense.
    """
    reader = csv.reader(lines)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        missing = sorted((_KINETICS_COLUMNS | {"label"}) - set(header))
        if missing:
            raise UsageError(
                f"'{printable(source)}' has no column {', '.join(missing)}",
                hint="a Kinetics CSV starts with label,youtube_id,time_start,time_end,split",
            )
        for row in reader:
            if any(cell.strip() for cell in row):
                yield _kinetics_row(dict(zip(header, row, strict=False)), source, reader.line_num)
    except csv.Error as error:
        raise _bad_line(source, reader.line_num, str(error)) from error


def _kinetics_row(cells: dict[str, str], source: str, line_number: int) -> KineticsRow:
    youtube_id, label = cells.get("youtube_id", "").strip(), clean_label(cells.get("label", ""))
    if not youtube_id or not label:
        raise _bad_line(source, line_number, "an empty youtube_id or label")
    try:
        key = ClipKey(youtube_id, _seconds(cells, "time_start"), _seconds(cells, "time_end"))
    except (KeyError, ValueError, OverflowError) as error:
        raise _bad_line(source, line_number, f"no clip times ({error})") from error
    return KineticsRow(key, label, cells.get("split", "").strip().lower())


def _seconds(cells: dict[str, str], column: str) -> int:
    seconds = int(float(cells[column]))
    if not 0 <= seconds < 10**9:
        raise ValueError(f"{column} is {seconds}")
    return seconds


def read_list(lines: Iterable[str], *, source: str) -> Iterator[ListedPath]:
    """The entries of a list file: a path, which may hold spaces and commas, then its label.

    A line is split from the right: before a number at its end, else after the last known media
    suffix (labels such as `playing guitar` hold spaces, too), else at the last separator.

    Raises:
        UsageError: a line without a label.
    """
    for line_number, raw in enumerate(lines, start=1):
        line = raw.strip(" \t\r\n")
        if not line:
            continue
        found = _split_line(line)
        if found is None:
            raise _bad_line(source, line_number, "expected `path label`")
        yield ListedPath(_unquote(found[1]), clean_label(found[2]))


def _split_line(line: str) -> re.Match[str] | None:
    for pattern in (_PATH_THEN_INDEX, _MEDIA_THEN_LABEL, _PATH_THEN_LABEL):
        found = pattern.fullmatch(line)
        if found and _unquote(found[1]) and clean_label(found[2]):
            return found
    return None


def _unquote(text: str) -> str:
    quoted = len(text) >= 2 and text[0] == text[-1] == '"'
    return text[1:-1].replace('""', '"') if quoted else text


def clean_label(text: str) -> str:
    """A class name without the quotes around it and the blanks at its ends, safe to print."""
    return printable(" ".join(text.split()).strip('"').strip())


def _bad_line(source: str, line_number: int, problem: str) -> UsageError:
    return UsageError(f"'{printable(source)}' line {line_number}: {problem}")
