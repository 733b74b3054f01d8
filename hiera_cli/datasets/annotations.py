"""Kinetics annotation files as text: CSV tables that are read by their header.

Format: the CSV files of DeepMind and CVDF (`label,youtube_id,time_start,time_end,split`), with or
without `is_cc`, also with semicolons or tabs. Nothing here looks for the videos.
"""

import csv
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from hiera_cli.datasets.lists.rows import bad_line, clean_label
from hiera_cli.datasets.text import open_lines
from hiera_cli.errors import UsageError
from hiera_cli.inputs import printable

_KINETICS_COLUMNS = frozenset({"youtube_id", "time_start", "time_end"})
_CLIP_STEM = re.compile(r"(.+)_([0-9]{1,9})_([0-9]{1,9})", re.DOTALL)


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


def clip_key(path: str) -> ClipKey | None:
    """The clip that a file name such as `ab-cd_E_f_000010_000020.mp4` names, if it names one."""
    stem = os.path.splitext(os.path.basename(path))[0]  # noqa: PTH119, PTH122 - any bytes
    found = _CLIP_STEM.fullmatch(stem)
    return ClipKey(found[1], int(found[2]), int(found[3])) if found else None


def is_kinetics_csv(path: str) -> bool:
    """Whether the file begins with the header of a Kinetics CSV; False for unreadable files."""
    try:
        first = next(open_lines(path), "")
    except UsageError:
        return False
    columns = {name.strip().strip('"').lower() for name in first.split(_delimiter(first))}
    return columns >= _KINETICS_COLUMNS


def _delimiter(header: str) -> str:
    return max(",;\t", key=header.count)


def read_kinetics(lines: Iterable[str], *, source: str) -> Iterator[KineticsRow]:
    """The rows of a Kinetics CSV.

    Args:
        lines: the file's lines, the header first.
        source: the file's name, for error messages.

    Raises:
        UsageError: a missing column (a test CSV may lack `label`), or a row that makes no sense.
    """
    rest = iter(lines)
    first = next(rest, "")
    reader = csv.reader(chain([first], rest), delimiter=_delimiter(first))
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
        raise bad_line(source, reader.line_num, str(error)) from error


def _kinetics_row(cells: dict[str, str], source: str, line_number: int) -> KineticsRow:
    youtube_id, label = cells.get("youtube_id", "").strip(), clean_label(cells.get("label", ""))
    if not youtube_id or not label:
        raise bad_line(source, line_number, "an empty youtube_id or label")
    try:
        key = ClipKey(youtube_id, _seconds(cells, "time_start"), _seconds(cells, "time_end"))
    except (KeyError, ValueError, OverflowError) as error:
        raise bad_line(source, line_number, f"no clip times ({error})") from error
    return KineticsRow(key, label, cells.get("split", "").strip().lower())


def _seconds(cells: dict[str, str], column: str) -> int:
    seconds = int(float(cells[column]))
    if not 0 <= seconds < 10**9:
        raise ValueError(f"{column} is {seconds}")
    return seconds
