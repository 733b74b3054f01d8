"""Annotation files as lines of text, in whatever encoding a tool wrote them.

UTF-8 with or without a byte order mark, UTF-16 (PowerShell's `>`), LF or CRLF, and paths that NUL
characters separate (`find -print0`). Bytes that are not UTF-8 stay as surrogate escapes.
"""

import codecs
import os
from collections.abc import Iterator
from pathlib import Path

from hiera_cli.errors import UsageError
from hiera_cli.inputs import printable

MAX_LINE_CHARACTERS = 65_536
_SNIFFED_BYTES = 65_536
_TEXT_CONTROLS = frozenset(b"\t\n\v\f\r\x1b")
_UTF16 = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def open_lines(path: str) -> Iterator[str]:
    """The lines of a text file with their ends; what NUL characters separate counts as lines.

    Raises:
        UsageError: the file cannot be read, or is no text: videos hold NUL bytes or endless lines.
    """
    if not os.path.isfile(path):  # noqa: PTH113 - opening a FIFO would block
        raise UsageError(f"'{printable(path)}' is not a file")
    try:
        with Path(path).open("rb") as file:
            start = file.read(_SNIFFED_BYTES)
        encoding, separated_by_nul = _sniff(start)
        if separated_by_nul:
            yield from _between_nuls(path, encoding)
        else:
            yield from _lines(path, encoding)
    except UnicodeError as error:
        raise _no_text(path) from error
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read '{printable(path)}': {error}") from error


def read_text(path: str) -> str:
    """The whole text of a file.

    Raises:
        UsageError: as `open_lines`.
    """
    return "".join(open_lines(path))


def _sniff(start: bytes) -> tuple[str, bool]:
    """The encoding that a file begins in, and whether NUL characters separate what it holds."""
    encoding = _UTF16.get(start[:2]) or _unmarked_utf16(start) or "utf-8-sig"
    separated = encoding == "utf-8-sig" and b"\0" in start and _is_text_but_for_nuls(start)
    return encoding, separated


def _unmarked_utf16(start: bytes) -> str | None:
    """UTF-16 without its mark: Latin text in which every other byte is zero."""
    even, odd = start[0:2000:2], start[1:2000:2]
    for zeros, letters, encoding in ((odd, even, "utf-16-le"), (even, odd, "utf-16-be")):
        mostly = len(zeros) >= 4 and zeros.count(0) >= 0.9 * len(zeros)
        if mostly and not letters.count(0):
            return encoding
    return None


def _is_text_but_for_nuls(start: bytes) -> bool:
    """Whether NULs stand singly between pieces of text."""
    pieces = start.removesuffix(b"\0").split(b"\0")
    return all(
        piece and all(byte >= 32 or byte in _TEXT_CONTROLS for byte in piece) for piece in pieces
    )


def _lines(path: str, encoding: str) -> Iterator[str]:
    errors = "surrogateescape" if encoding == "utf-8-sig" else "strict"
    with Path(path).open(encoding=encoding, errors=errors, newline="") as file:
        while line := file.readline(MAX_LINE_CHARACTERS):
            if "\0" in line or len(line) == MAX_LINE_CHARACTERS:
                raise _no_text(path)
            yield line


def _between_nuls(path: str, encoding: str) -> Iterator[str]:
    rest = ""
    with Path(path).open(encoding=encoding, errors="surrogateescape", newline="") as file:
        while block := file.read(MAX_LINE_CHARACTERS):
            *whole, rest = (rest + block).split("\0")
            if len(rest) >= MAX_LINE_CHARACTERS:
                raise _no_text(path)
            yield from (f"{piece}\n" for piece in whole)
    if rest:
        yield rest


def _no_text(path: str) -> UsageError:
    return UsageError(
        f"'{printable(path)}' is not a text file",
        hint="a data set is a folder, a Kinetics CSV or a list of `path label`",
    )
