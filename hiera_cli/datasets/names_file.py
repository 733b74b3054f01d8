"""Files that give the numbered classes of a list their names, and where they lie.

Formats: one name a line; `number name` or `name,number` a line, with or without a header, separated
by comma, semicolon, tab or (number first) blanks; JSON as a list, number to name or name to number.
"""

# os.path keeps every byte of a name, and says no where Path raises:
# ruff: noqa: PTH113, PTH118, PTH208

import csv
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from hiera_cli.datasets.class_names import is_class_number
from hiera_cli.datasets.lists.rows import clean_label, is_media_name
from hiera_cli.datasets.splits import own_name
from hiera_cli.datasets.text import check_characters, open_lines, read_text
from hiera_cli.errors import UsageError
from hiera_cli.inputs import printable

_SIBLINGS = (
    "classes",
    "class_names",
    "classnames",
    "labels",
    "label_map",
    "classind",
    "categories",
)
_LIST_FOLDERS = frozenset({"annotations", "labels", "list", "lists", "split", "splits"})
_SUFFIXES = (".txt", ".csv", ".json")
_NUMBER_THEN_NAME = re.compile(r"([0-9]{1,9})(?:[ \t]*[,;:\t][ \t]*|[ \t]+)(\S.*)", re.DOTALL)
_NAME_THEN_NUMBER = re.compile(r"(.*\S)[ \t]*[,;\t][ \t]*([0-9]{1,9})", re.DOTALL)
_HEADER_CELLS = frozenset(
    {"id", "index", "label", "label_id", "class_id", "class", "name", "class_name", "label_name"}
    | {"number", "category", "category_id", "class_index", "action"}
)


@dataclass(frozen=True, slots=True)
class ClassNames:
    """Names of numbered classes.

    Attributes:
        names: in the order of their numbers.
        first: the number of the first.
        source: the file that they come from, for messages.
    """

    names: tuple[str, ...]
    first: int
    source: str

    @property
    def span(self) -> str:
        """Which numbers there are, in words."""
        return f"{self.first} to {self.first + len(self.names) - 1}"


def read_class_names(path: str) -> ClassNames:
    """The names in a file.

    Raises:
        UsageError: not readable, no known format, numbers with gaps, or a name that occurs twice.
    """
    text = read_text(path)
    check_characters(text, path)
    try:
        names, first = (
            _from_json(text) if text.lstrip()[:1] in ("{", "[") else names_from_lines(text)
        )
        names = [clean_label(name) for name in names]
        _check(names)
    except ValueError as error:
        raise UsageError(
            f"class names '{printable(path)}': {error}",
            hint="give one name a line, in the order of their numbers",
        ) from error
    return ClassNames(tuple(names), first, path)


def find_class_names(annotations: str, root: str) -> str | None:
    """The class names beside a list, in the data set's folder, or above a folder of lists."""
    own = os.path.dirname(annotations) or "."  # noqa: PTH120
    above = [os.path.join(own, os.pardir)] if own_name(own).lower() in _LIST_FOLDERS else []
    for folder in dict.fromkeys([own, root, *above]):
        found = _in_folder(folder, besides=annotations)
        if found:
            return found
    return None


def _in_folder(folder: str, *, besides: str) -> str | None:
    if not os.path.isdir(folder):  # noqa: PTH112
        return None
    own = os.path.realpath(besides)
    files = {name.lower(): os.path.join(folder, name) for name in sorted(os.listdir(folder))}
    names = [stem + suffix for stem in _SIBLINGS for suffix in _SUFFIXES]
    names += [name for name in files if name.startswith("label_map") and name.endswith(".txt")]
    for path in (files[name] for name in names if name in files):
        if os.path.isfile(path) and os.path.realpath(path) != own and not _lists_media(path):
            return path
    return None


def _lists_media(path: str) -> bool:
    """Whether the first lines of a file name videos or images; True for what is no text."""
    try:
        words = " ".join(islice(open_lines(path), 5))
    except UsageError:
        return True
    return any(is_media_name(word) for word in re.split(r"[\s,;\"]+", words))


def names_from_lines(text: str) -> tuple[list[str], int]:
    """Names in the order of their numbers, and the first number, from lines of either form.

    Raises:
        ValueError: numbers with gaps, or one that occurs twice.
    """
    lines = [line.strip() for line in text.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    if len(lines) > 1 and _is_header(lines[0]):
        lines = lines[1:]
    for pattern, number, name in ((_NUMBER_THEN_NAME, 1, 2), (_NAME_THEN_NUMBER, 2, 1)):
        found = [pattern.fullmatch(line) for line in lines]
        pairs = [(int(match[number]), match[name]) for match in found if match]
        if pairs and len(pairs) == len(lines):
            return _in_order(pairs)
    return lines, 0


def _is_header(line: str) -> bool:
    cells = next(csv.reader([line.replace(";", ",").replace("\t", ",")]), [])
    return len(cells) > 1 and {cell.strip().lower() for cell in cells} <= _HEADER_CELLS


def _from_json(text: str) -> tuple[list[str], int]:
    try:
        parsed = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if isinstance(parsed, dict) and isinstance(parsed.get("id2label"), dict):
        parsed = parsed["id2label"]
    if isinstance(parsed, list):
        return [str(name) for name in parsed], 0
    if not isinstance(parsed, dict):
        raise ValueError("neither a list nor an object")  # noqa: TRY004 - about the file
    if all(is_class_number(key) for key in parsed):
        return _in_order([(int(key), str(name)) for key, name in parsed.items()])
    if all(is_class_number(str(value)) for value in parsed.values()):
        return _in_order([(int(value), name) for name, value in parsed.items()])
    raise ValueError("neither number to name nor name to number")


def _in_order(pairs: Sequence[tuple[int, str]]) -> tuple[list[str], int]:
    """The names by number, and the lowest number: 0 or 1.

    Raises:
        ValueError: a number that is missing or there twice.
    """
    by_number = dict(pairs)
    first = min(by_number, default=0)
    expected = range(first, first + len(pairs))
    if first > 1 or len(by_number) != len(pairs) or set(by_number) != set(expected):
        odd = next((n for n in range(min(first, 1), len(pairs) + 1) if n not in by_number), first)
        raise ValueError(
            f"the numbers of {len(pairs)} classes must count from 0 or 1 without a gap; "
            f"{odd} is {'missing' if odd not in by_number else 'out of place'}"
        )
    return [by_number[number] for number in expected], first


def _check(names: Sequence[str]) -> None:
    if not names:
        raise ValueError("no names")
    seen: dict[str, int] = {}
    for index, name in enumerate(names):
        if not name:
            raise ValueError(f"name {index} (counted from 0) is empty")
        if name in seen:
            raise ValueError(f"'{name}' is class {seen[name]} and class {index}")
        seen[name] = index
