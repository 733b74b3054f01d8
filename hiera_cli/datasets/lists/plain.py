"""Lists without a header: `path label`, `path frames label` and `path,label,split`."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hiera_cli.datasets.class_names import is_class_number
from hiera_cli.datasets.lists.rows import (
    MEDIA,
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
from hiera_cli.errors import UsageError

_BETWEEN = r"(?:[ ]*([,;\t])[ ]*|[ ]+)"
_MEDIA_THEN_REST = re.compile(rf"(.*(?:{MEDIA})\"?){_BETWEEN}(\S.*)", re.DOTALL | re.IGNORECASE)
_LABEL_THEN_MEDIA = re.compile(
    rf"(\"[^\"]+\"|[^,;\t]+(?=[ ]*[,;\t])|[^,;\t ]+){_BETWEEN}(.*(?:{MEDIA})\"?)",
    re.DOTALL | re.IGNORECASE,
)
_PATH_THEN_INDEX = re.compile(rf"(.*[^\s,;]){_BETWEEN}([0-9]{{1,9}})", re.DOTALL)
_PATH_THEN_LABEL = re.compile(rf"(.*[^\s,;]){_BETWEEN}(\S+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Parts:
    """A line without a header, split: its path and what comes after it."""

    line: Line
    path: str
    rest: tuple[str, ...]
    separator: str


def read_plain(
    lines: Sequence[Line],
    source: str,
    exists: Callable[[str], bool],
    names: tuple[tuple[int, str], ...],
) -> ListFile:
    """The rows of a list without a header.

    Raises:
        UsageError: a line without a label, a header that nobody knows, or unequal columns.
    """
    turned = _label_first(lines, exists)
    if turned is not None:
        return ListFile(turned, "no header, `label path`", names)
    parts = [_split_line(line, source) for line in lines]
    _refuse_unknown_header(parts, source, exists)
    parts = _without_frame_counts(parts, exists)
    usual = Counter(len(part.rest) for part in parts).most_common(1)[0][0]
    odd = next((part for part in parts if len(part.rest) != usual), None)
    if odd is not None:
        raise _wrong_count(odd, source, f"the other lines have {usual + 1}")
    meaning = _meaning([part.rest for part in parts])
    if meaning is None:
        raise _wrong_count(parts[0], source, "without a header `path label` is expected")
    column, split = meaning.index("label"), meaning.index("split") if "split" in meaning else -1
    rows = tuple(
        ListedPath(
            part.path,
            clean_label(part.rest[column]),
            part.line.number,
            (split_called(part.rest[split]) or part.rest[split].lower()) if split >= 0 else "",
        )
        for part in parts
    )
    separators = sorted({SPOKEN[part.separator] for part in parts})
    how = f"no header, `path {' '.join(meaning)}` separated by {' or '.join(separators)}"
    return ListFile(rows, how, names)


def _label_first(
    lines: Sequence[Line], exists: Callable[[str], bool]
) -> tuple[ListedPath, ...] | None:
    """The rows of a list whose lines all are `label path`; None for any other list.

    Between blanks a label is a number, or what stands before a path that is there: a list without
    labels may hold paths with blanks.
    """
    rows = []
    for line in lines:
        found = _LABEL_THEN_MEDIA.fullmatch(line.text)
        if found is None or is_media_name(found[1]) or "/" in found[1]:
            return None
        label, path = clean_label(found[1]), _unquote(found[3].strip())
        if not (label and (found[2] or is_class_number(label) or exists(path))):
            return None
        rows.append(ListedPath(path, label, line.number))
    return tuple(rows)


def _split_line(line: Line, source: str) -> _Parts:
    for pattern in (_MEDIA_THEN_REST, _PATH_THEN_INDEX, _PATH_THEN_LABEL):
        found = pattern.fullmatch(line.text)
        if found is None:
            continue
        path, separator = _unquote(found[1]), found[2] or " "
        rest = _rest_cells(found[3], separator)
        if path and all(map(clean_label, rest)) and not is_media_name(rest[-1]):
            return _Parts(line, path, rest, separator)
    problem = f"expected `path label`, found {excerpt(line.text)}"
    raise bad_line(source, line.number, problem)


def _rest_cells(rest: str, separator: str) -> tuple[str, ...]:
    """What follows the path, as columns; class names may hold blanks, numbers do not."""
    if separator == " ":
        numbers = rest.split()
        return tuple(numbers) if all(map(is_class_number, numbers)) else (rest,)
    return tuple(cell.strip() for cell in cells_of(rest, separator))


def _unquote(text: str) -> str:
    quoted = len(text) >= 2 and text[0] == text[-1] == '"'
    return text[1:-1].replace('""', '"') if quoted else text


def _refuse_unknown_header(
    parts: Sequence[_Parts], source: str, exists: Callable[[str], bool]
) -> None:
    """A first line that names no media while the others do is a header that nobody knows.

    Raises:
        UsageError: it is.
    """
    first, others = parts[0], parts[1:]
    media = sum(is_media_name(part.path) for part in others)
    if not others or media * 2 <= len(others) or is_media_name(first.path):
        return
    if not exists(first.path):
        raise bad_line(
            source,
            first.line.number,
            f"neither a video nor a known header: {excerpt(first.line.text)}",
            hint="call its columns path and label, or remove the line",
        )


def _without_frame_counts(parts: Sequence[_Parts], exists: Callable[[str], bool]) -> list[_Parts]:
    """Lines such as `folder 300 1` with their number of frames apart, if all of them have one.

    A folder's name may hold blanks and numbers: where such a path exists, it is none.
    """
    split = [_PATH_THEN_INDEX.fullmatch(part.path) for part in parts]
    numbered = all(
        found and len(part.rest) == 1 and is_class_number(part.rest[0])
        for part, found in zip(parts, split, strict=True)
    )
    if not numbered or any(exists(part.path) for part in parts):
        return list(parts)
    return [
        _Parts(part.line, _unquote(found[1]), (found[3], *part.rest), part.separator)
        for part, found in zip(parts, split, strict=True)
        if found
    ]


def _meaning(rests: Sequence[tuple[str, ...]]) -> tuple[str, ...] | None:
    """What the columns after the path are; None if nobody can know."""
    if len(rests[0]) == 1:
        return ("label",)
    if len(rests[0]) != 2:
        return None
    if all(is_class_number(first) and is_class_number(second) for first, second in rests):
        return ("frames", "label")
    if all(split_called(second) for _, second in rests):
        return ("label", "split")
    return None


def _wrong_count(part: _Parts, source: str, expected: str) -> UsageError:
    return bad_line(
        source,
        part.line.number,
        f"{len(part.rest) + 1} columns, {expected}: {excerpt(part.line.text)}",
        hint="put quotes around a label that holds the separator, or give the file a header: "
        "path,label,split,group",
    )
