"""Lists with a header: which columns it names, and the rows below it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hiera_cli.datasets.class_names import is_class_number
from hiera_cli.datasets.lists.rows import (
    SPOKEN,
    Line,
    ListedPath,
    ListFile,
    bad_line,
    cells_of,
    clean_label,
    excerpt,
    is_media_name,
)
from hiera_cli.datasets.splits import split_called
from hiera_cli.inputs import printable

_SEPARATORS = (",", ";", "\t", " ")
_PATH_COLUMNS = (
    "path", "file_path", "filepath", "video_path", "clip_path", "image_path", "file", "filename",
    "file_name", "video_file", "video", "clip", "image", "video_name", "clip_name", "name",
    "video_id", "id",
)  # fmt: skip
_NAME_COLUMNS = ("class_name", "label_name", "classname", "category_name", "action_name")
_LABEL_COLUMNS = (
    "label", "labels", "class", "category", "action", "target", "y", "label_id", "class_id",
    "class_index", "label_index", "category_id", "action_id",
)  # fmt: skip
_SPLIT_COLUMNS = ("split", "subset", "set", "partition", "phase")
_GROUP_COLUMNS = ("group", "source")


@dataclass(frozen=True, slots=True)
class Header:
    """Which column of a table holds what; -1 for columns that it does not have."""

    separator: str
    columns: tuple[str, ...]
    path: int
    label: int
    number: int
    split: int
    group: int


def read_header(line: Line, group: str | None, source: str) -> Header | None:
    """The header that the first line is, if it is one.

    Raises:
        UsageError: columns of which one is a path and none a label, or the other way round.
    """
    for separator in _SEPARATORS:
        columns = tuple(_column_name(cell) for cell in cells_of(line.text, separator))
        if len(columns) < 2 or is_media_name(columns[0]):
            continue
        names, numbers = _first(columns, _NAME_COLUMNS), _first(columns, _LABEL_COLUMNS)
        path, label = _first(columns, _PATH_COLUMNS), names if names >= 0 else numbers
        if len(columns) == 2 and separator != " ":  # two columns: one name tells the other
            path = 1 - label if path < 0 <= label and not _is_value(columns[1 - label]) else path
            label = 1 - path if label < 0 <= path and not _is_value(columns[1 - path]) else label
        wanted_group = (_column_name(group),) if group else _GROUP_COLUMNS
        if path >= 0 and label >= 0:
            number = numbers if names >= 0 else -1
            split, together = _first(columns, _SPLIT_COLUMNS), _first(columns, wanted_group)
            return Header(separator, columns, path, label, number, split, together)
        if len(columns) > 2 and separator != " " and max(path, label) >= 0:
            lacking = "path" if path < 0 else "label"
            raise bad_line(
                source,
                line.number,
                f"a header without a column '{lacking}': {excerpt(line.text)}",
                hint="call the columns path and label; split and group may be there, too",
            )
    return None


def _is_value(cell: str) -> bool:
    """Whether a cell is what a column holds, or names another column than the one sought."""
    return is_class_number(cell) or is_media_name(cell) or cell in _PATH_COLUMNS


def _column_name(cell: str) -> str:
    return re.sub(r"[\s_-]+", "_", cell.strip().strip("\"'").lower())


def _first(columns: Sequence[str], names: Sequence[str]) -> int:
    """Where the first of the names that is among the columns is; -1 if none is."""
    return next((columns.index(name) for name in names if name in columns), -1)


def read_table(
    lines: Sequence[Line], header: Header, source: str, names: tuple[tuple[int, str], ...]
) -> ListFile:
    """The rows below a header.

    Raises:
        UsageError: a row with another number of columns, without a path or without a label.
    """
    rows: list[ListedPath] = []
    numbered: dict[int, str] = {}
    for line in lines:
        cells = cells_of(line.text, header.separator)
        if len(cells) != len(header.columns):
            raise bad_line(
                source,
                line.number,
                f"{len(cells)} columns, the header has {len(header.columns)}: {excerpt(line.text)}",
                hint="put quotes around a path or a label that holds the separator",
            )
        rows.append(_table_row(line, cells, header, source))
        written = cells[header.number].strip()
        if header.number >= 0 and is_class_number(written):
            number, name = int(written), rows[-1].label
            if numbered.setdefault(number, name) != name:
                problem = f"class {number} is '{name}' here and '{numbered[number]}' before"
                raise bad_line(source, line.number, problem)
    told = tuple(sorted(numbered.items())) or names
    separator = SPOKEN[header.separator]
    how = f"columns {', '.join(map(excerpt, header.columns))}, separated by {separator}"
    return ListFile(tuple(rows), how, told, header.columns)


def _table_row(line: Line, cells: Sequence[str], header: Header, source: str) -> ListedPath:
    path, label = cells[header.path], clean_label(cells[header.label])
    if not path.strip() or not label:
        lacking = "label" if path.strip() else "path"
        raise bad_line(
            source,
            line.number,
            f"no {lacking}: {excerpt(line.text)}",
            hint="complete the line or remove it",
        )
    split = cells[header.split].strip().lower() if header.split >= 0 else ""
    group = printable(cells[header.group].strip()) if header.group >= 0 else ""
    return ListedPath(path, label, line.number, split_called(split) or split, group)
