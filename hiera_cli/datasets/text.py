"""Annotation files as lines of text, in whatever encoding a tool wrote them.

As in lists of inputs: UTF-8 with or without a byte order mark, UTF-16 (PowerShell's `>`), any line
end, and NUL characters between entries (`find -print0`).
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from hiera_cli.errors import MediaError, UsageError
from hiera_cli.inputs import decode_text, printable
from hiera_cli.remote import is_remote, open_url

MAX_LINE_CHARACTERS = 65_536
_SNIFFED_BYTES = 65_536


def open_lines(path: str) -> Iterator[str]:
    """The lines of a text file, each with a line end; what NUL characters separate are lines.

    Raises:
        UsageError: the file cannot be read, or is no text: videos hold NUL bytes or endless lines.
    """
    if not is_remote(path) and not os.path.isfile(path):  # noqa: PTH113 - a FIFO would block
        raise UsageError(f"'{printable(path)}' is not a file")
    try:
        with open_url(path) if is_remote(path) else Path(path).open("rb") as file:
            start = file.read(_SNIFFED_BYTES)
            text = decode_text(start + file.read(-1)) if _is_text(decode_text(start)) else "\0\0"
    except (OSError, ValueError, MediaError) as error:
        raise UsageError(f"cannot read '{printable(path)}': {error}") from error
    lines = text.split("\0" if "\0" in text else "\n" if "\n" in text else "\r")
    if lines[-1] == "":
        lines.pop()
    if not _is_text(text) or any(len(line) >= MAX_LINE_CHARACTERS for line in lines):
        raise UsageError(
            f"'{printable(path)}' is not a text file",
            hint="a data set is a folder, a Kinetics CSV or a list of `path label`",
        )
    return (f"{line}\n" for line in lines)


def read_text(path: str) -> str:
    """The whole text of a file.

    Raises:
        UsageError: as `open_lines`.
    """
    return "".join(open_lines(path))


def check_characters(text: str, source: str) -> None:
    """Refuse text of an unknown encoding: names, unlike paths, must be more than the same bytes.

    Args:
        text: as `decode_text` gives it.
        source: the file, for the message.

    Raises:
        UsageError: bytes that were neither UTF-8 nor UTF-16; says in which line.
    """
    found = _UNDECODED.search(text)
    if found is not None:
        line = text.count("\n", 0, found.start()) + 1
        raise UsageError(
            f"'{printable(source)}' line {line} is neither utf-8 nor utf-16",
            hint="save it as UTF-8, for example: iconv -f WINDOWS-1252 -t UTF-8 OLD > NEW",
        )


def _is_text(text: str) -> bool:
    """Whether NUL characters, if there are any, stand singly between pieces without controls."""
    if "\0" not in text:
        return True
    pieces = text.removesuffix("\0").split("\0")
    return all(piece and not _CONTROLS.intersection(piece) for piece in pieces)


_UNDECODED = re.compile("[\udc80-\udcff\ufffd]")
_CONTROLS = frozenset(map(chr, range(32))) - frozenset("\t\n\v\f\r\x1b")
