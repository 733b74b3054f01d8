"""What the user named on the command line, as a stable, ordered stream of file paths.

Files, folders, globs, `@lists`, `-` (paths on stdin) and archives all end as `InputPath`s. A name
that exists is always that file, whatever characters it holds; nothing here opens a video.
"""

import glob
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TextIO

from hiera_cli.archives import members_below, split_archive
from hiera_cli.errors import UsageError
from hiera_cli.remote import expand_url, is_remote

VIDEO_SUFFIXES = frozenset(
    {".3g2", ".3gp", ".apng", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".gif", ".h264"}
    | {".h265", ".hevc", ".ivf", ".m1v", ".m2t", ".m2ts", ".m2v", ".m4v", ".mjpeg", ".mjpg"}
    | {".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".nut", ".obu", ".ogm", ".ogv"}
    | {".rm", ".rmvb", ".ts", ".vob", ".webm", ".wmv", ".y4m"}
)
IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})

_BRACES = re.compile(r"\{([0-9]{1,9})\.\.([0-9]{1,9})\}")


@dataclass(frozen=True, slots=True)
class InputPath:
    """One input file.

    Attributes:
        path: what to open; bytes that are not UTF-8 are surrogate-escaped.
        name: the path below the folder it was found under, or as the user gave it.
    """

    path: str
    name: str


def input_names(inputs: str | PathLike[str] | Iterable[str | PathLike[str]]) -> list[str]:
    """One input or several, as the strings that `expand_inputs` takes."""
    several = [inputs] if isinstance(inputs, str | PathLike) else inputs
    return [os.fspath(name) for name in several]


def expand_inputs(
    inputs: Iterable[str],
    *,
    stdin: TextIO | None = None,
    suffixes: frozenset[str] = VIDEO_SUFFIXES,
) -> Iterator[InputPath]:
    """Every file that the inputs name, each once, in the order given (folders sorted).

    Args:
        inputs: files, folders (searched recursively for `suffixes`), glob patterns, `@FILE`
            (one path a line), `-` (paths from `stdin`), zip and tar archives, folders in them,
            and ranges of files that do not exist as spelled: `shard-{000..099}.tar`.
        stdin: where `-` reads from.
        suffixes: the files that a folder is searched for, lower case, with the dot.

    Raises:
        UsageError: a list that cannot be read, or `-` without `stdin`.
    """
    seen: set[str] = set()
    for item in _read_lists(inputs, stdin):
        for found in _expand_one(item, suffixes):
            identity = os.path.realpath(found.path)
            if identity not in seen:
                seen.add(identity)
                yield found


def _read_lists(inputs: Iterable[str], stdin: TextIO | None) -> Iterator[str]:
    for item in inputs:
        if item == "-":
            if stdin is None:
                raise UsageError("'-' reads paths from standard input, and there is none")
            yield from _lines(stdin)
        elif item.startswith("@") and not os.path.lexists(item):
            yield from _read_list_file(item[1:])
        else:
            yield item


def _read_list_file(path: str) -> Iterator[str]:
    try:
        with Path(path).open(encoding="utf-8", errors="surrogateescape") as file:
            yield from _lines(file)
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read the list '{path}': {error}") from error


def _lines(file: Iterable[str]) -> Iterator[str]:
    for line in file:
        path = line.rstrip("\r\n")
        if path.strip():
            yield path


def _expand_one(item: str, suffixes: frozenset[str]) -> Iterator[InputPath]:
    if "\0" not in item and split_archive(item):
        yield from _unpack(item, suffixes)
    elif "\0" in item or os.path.lexists(item):
        if os.path.isdir(item):  # noqa: PTH112 - surrogate escapes and NUL stay str
            yield from _walk(item, suffixes)
        else:
            yield InputPath(item, item)
    elif is_remote(item):
        yield from (InputPath(url, name) for url, name in expand_url(item, suffixes))
    elif (named := _BRACES.search(item)) is not None:
        for one in _in_braces(item, named):
            yield from _expand_one(one, suffixes)
    elif glob.has_magic(item):
        matches = sorted(glob.glob(item, recursive=True))  # noqa: PTH207 - absolute patterns
        for match in matches or [item]:
            yield from _expand_one(match, suffixes) if matches else [InputPath(item, item)]
    else:
        yield InputPath(item, item)


def _in_braces(item: str, braces: "re.Match[str]") -> Iterator[str]:
    """The names that a range means, with as many digits as its start has."""
    first, last = braces.groups()
    for number in range(int(first), int(last) + 1):
        text = f"{number:0{len(first)}d}"
        yield item[: braces.start()] + text + item[braces.end() :]


def _walk(root: str, suffixes: frozenset[str]) -> Iterator[InputPath]:
    """Files below `root` in sorted order; links to folders are not followed."""
    for folder, subfolders, files in os.walk(root):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(files):
            if os.path.splitext(name)[1].lower() in suffixes:  # noqa: PTH122
                path = os.path.join(folder, name)  # noqa: PTH118 - keeps './' and escapes
                yield InputPath(path, os.path.relpath(path, root))


def _unpack(path: str, suffixes: frozenset[str]) -> Iterator[InputPath]:
    """Files in an archive, or below a folder in it, in sorted order; or the member that is named.

    Where videos are wanted, an archive that cannot be read or holds none is an input like any
    other that is no video.
    """
    wants_pictures = bool(suffixes & IMAGE_SUFFIXES)
    try:
        members = list(members_below(path, suffixes))
    except UsageError:
        if wants_pictures:
            raise
        members = []
    for member in members:
        yield InputPath(member, os.path.relpath(member, path))
    if not members and not wants_pictures:
        yield InputPath(path, path)


def printable(text: str) -> str:
    r"""The text with everything that could act on a terminal or a file format made visible.

    Control characters, bidirectional overrides and bytes that were not UTF-8 become `\xNN` or
    `\uNNNN`; all other characters stay.
    """
    return "".join(c if _is_plain(c) else _escape(c) for c in text)


def _is_plain(character: str) -> bool:
    return unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} or (
        character in "\u200c\u200d"  # joiners that scripts and emoji need
    )


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
