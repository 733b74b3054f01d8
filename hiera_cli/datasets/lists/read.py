"""One reader for every list of labelled videos, as text.

With a header the columns come in any order (`path,label`, and `split`, `group`, `class_name` where
they are there). Without one a line is `path label`, as SlowFast, VideoMAE and mmaction2 write it,
`path frames label` (mmaction2's lists of frame folders), `path,label,split` or `label path`.
Comma, semicolon, tab or blanks separate the columns. Nothing here looks for the videos.
"""

import re
from collections.abc import Callable, Iterable

from hiera_cli.datasets.lists.header import read_header, read_table
from hiera_cli.datasets.lists.plain import read_plain
from hiera_cli.datasets.lists.rows import Line, ListFile, cells_of, clean_label
from hiera_cli.datasets.text import open_lines
from hiera_cli.errors import UsageError

_SEPARATOR_LINE = re.compile(r"\"?sep=.?\"?", re.IGNORECASE)
_CLASSES_COMMENT = re.compile(r"#\s*(?:classes|class[ _]names|labels)\s*[:=](.*)", re.IGNORECASE)


def _nowhere(_path: str) -> bool:
    return False


def read_list(
    lines: Iterable[str],
    *,
    source: str,
    group: str | None = None,
    exists: Callable[[str], bool] = _nowhere,
) -> ListFile:
    """What a list file says.

    Without a header a line is split after the last known media suffix (paths and labels may hold
    blanks and commas), else before a number at its end, else at the last separator.

    Args:
        lines: of the file.
        source: its name, for messages.
        group: the column that says what belongs together; None for `group` or `source`.
        exists: whether a path is there; asked where a line can be read in two ways.

    Raises:
        UsageError: lines that do not fit the others or their header; the message shows the first.
    """
    kept = [Line(n, raw.strip(" \t\r\n")) for n, raw in enumerate(lines, start=1)]
    kept = [line for line in kept if line.text]
    if kept and _SEPARATOR_LINE.fullmatch(kept[0].text):  # Excel's
        kept = kept[1:]
    names: tuple[tuple[int, str], ...] = ()
    while kept and (told := _CLASSES_COMMENT.fullmatch(kept[0].text)):
        names = tuple(enumerate(map(clean_label, cells_of(told[1], ","))))
        kept = kept[1:]
    if not kept:
        return ListFile((), "empty")
    header = read_header(kept[0], group, source)
    if header is not None and not exists(cells_of(kept[0].text, header.separator)[header.path]):
        return read_table(kept[1:], header, source, names)
    return read_plain(kept, source, exists, names)


def is_list_table(path: str) -> bool:
    """Whether a file begins with a header of columns for path and label; False if unreadable."""
    try:
        first = next(open_lines(path), "").strip()
        return bool(first) and read_header(Line(1, first), None, path) is not None
    except UsageError:
        return False
