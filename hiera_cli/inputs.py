"""What the user named on the command line, as a stable, ordered stream of file paths.

Files, folders, globs, `@lists`, `-` (paths on stdin) and archives all end as `InputPath`s. A name
that exists is always that file, whatever characters it holds; nothing here opens a video. Folders
are searched without what systems and tools leave in them; what is named outright is always taken.
"""

import codecs
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
from hiera_cli.errors import MediaError, UsageError
from hiera_cli.folders import files_below
from hiera_cli.remote import expand_url, is_remote, open_url, without_file_scheme

VIDEO_SUFFIXES = frozenset(
    {".3g2", ".3gp", ".apng", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".gif", ".h264"}
    | {".h265", ".hevc", ".ivf", ".m1v", ".m2t", ".m2ts", ".m2v", ".m4v", ".mjpeg", ".mjpg"}
    | {".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".nut", ".obu", ".ogm", ".ogv"}
    | {".rm", ".rmvb", ".ts", ".vob", ".webm", ".wmv", ".y4m"}
)
IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
ARCHIVE_SUFFIXES = frozenset({".parquet", ".tar", ".zip"})
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark is its beginning
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

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
    """Every file that the inputs name, each name once, in the order given (folders sorted).

    Lists are read at once; folders are walked as the files are asked for. Two names of one file
    (links of a Hugging Face cache, DVC or git-annex) are two inputs.

    Args:
        inputs: files, folders (searched recursively for `suffixes`, or for archives where there
            is no such file), glob patterns, `@FILE` (one path a line, or NUL between them), `-`
            (paths from `stdin`), zip and tar archives, Parquet tables with a column of videos,
            folders in them, and ranges of files that do not exist as spelled:
            `shard-{000..099}.tar`.
        stdin: where `-` reads from.
        suffixes: the files that a folder is searched for, lower case, with the dot.

    Raises:
        UsageError: a list that cannot be read, or `-` without `stdin`.
    """
    return _expand(list(_read_lists(inputs, stdin)), suffixes)


def _expand(items: Iterable[str], suffixes: frozenset[str]) -> Iterator[InputPath]:
    seen: set[str] = set()
    for item in items:
        for found in _expand_one(item, suffixes):
            identity = os.path.abspath(found.path)  # noqa: PTH100 - any characters
            if identity not in seen:
                seen.add(identity)
                yield found


# ----------------------------------------------------------------------------------- lists


def decode_text(raw: bytes) -> str:
    """The text of a file as people's tools write them: UTF-8, or UTF-16 and UTF-32 with a mark.

    UTF-16 without a mark is known by its zeros. Bytes that are not UTF-8 are surrogate-escaped,
    as in file names.
    """
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            return raw[len(mark) :].decode(encoding, "replace")
    for line_end, zeros, encoding in ((b"\n\0", 1, "utf-16-le"), (b"\0\n", 0, "utf-16-be")):
        if line_end in raw and raw[zeros::2].count(0) > len(raw) // 4:
            return raw.decode(encoding, "replace")
    return raw.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")


def entries_of(text: str) -> list[str]:
    """What a list names: NUL between the entries (`find -print0`), or else an entry a line."""
    if "\0" in text:
        return [entry for entry in text.split("\0") if entry.strip()]
    lines = text.split("\n") if "\n" in text else text.split("\r")
    return [line for line in (line.rstrip("\r\n") for line in lines) if line.strip()]


def _read_lists(inputs: Iterable[str], stdin: TextIO | None) -> Iterator[str]:
    for item in inputs:
        if item == "-":
            yield from map(existing_spelling, entries_of(_text_of(stdin)))
        elif item.startswith("@") and not os.path.lexists(item):
            yield from map(existing_spelling, entries_of(_text_of_list(item[1:])))
        else:
            yield existing_spelling(item)


def _text_of(stdin: TextIO | None) -> str:
    if stdin is None:
        raise UsageError("'-' reads paths from standard input, and there is none")
    try:
        raw = getattr(stdin, "buffer", None)  # whatever encoding the terminal has
        return decode_text(raw.read()) if raw is not None else stdin.read().lstrip("\ufeff")
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read paths from standard input: {error}") from error


def _text_of_list(path: str) -> str:
    path = existing_spelling(path)
    try:
        with open_url(path) if is_remote(path) else Path(path).open("rb") as file:
            return decode_text(file.read(-1))
    except (OSError, ValueError, MediaError) as error:
        raise UsageError(f"cannot read the list '{path}': {error}") from error


def existing_spelling(name: str) -> str:
    """How a file that is there is really spelled, if `name` is what a tool made of its name.

    Tried in turn: as it is; as the path of a `file://` URL; without blanks or quotes around it;
    with slashes for backslashes; with accents composed (NFC) or decomposed (NFD), which macOS,
    Linux and Windows do differently.
    """
    if not name or os.path.lexists(name):
        return name
    name = without_file_scheme(name)
    trimmed = [name, name.rstrip(), name.strip(), name.strip().strip("\"'")]
    slashed = [spelling.replace("\\", "/") for spelling in trimmed]
    for spelling in dict.fromkeys(filter(None, (*trimmed, *slashed))):
        if os.path.lexists(spelling):
            return spelling
        composed = None if spelling.isascii() else _with_other_accents(spelling)
        if composed is not None:
            return composed
    return name


def _with_other_accents(path: str) -> str | None:
    """The existing path of the same letters; its parts may be composed in different ways."""
    found = "/" if path.startswith("/") else ""
    for part in filter(None, path.split("/")):
        forms = (part, *(unicodedata.normalize(form, part) for form in ("NFC", "NFD")))
        places = (os.path.join(found, form) for form in forms)  # noqa: PTH118
        place = next(filter(os.path.lexists, places), None)
        if place is None:
            return None
        found = place
    return found


# --------------------------------------------------------------------------- folders and globs


def _expand_one(item: str, suffixes: frozenset[str]) -> Iterator[InputPath]:
    if "\0" not in item and split_archive(item):
        yield from _unpack(item, suffixes)
    elif "\0" in item or os.path.lexists(item):
        if os.path.isdir(item):  # noqa: PTH112 - surrogate escapes and NUL stay str
            yield from _below(item, suffixes)
        else:
            yield InputPath(item, item)
    elif (named := _BRACES.search(item)) is not None:
        for one in _in_braces(item, named):
            yield from _expand_one(one, suffixes)
    elif is_remote(item):
        for url, name in expand_url(item, suffixes):
            inside = _unpack(url, suffixes) if split_archive(url) else [InputPath(url, name)]
            yield from inside
    elif glob.has_magic(item):
        matches = _matches(item)
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


def _matches(pattern: str) -> list[str]:
    """What a pattern matches; a folder in it that exists as it is spelled is that folder."""
    parts = pattern.split("/")
    num_there = 0
    while num_there < len(parts) - 1 and os.path.lexists("/".join(parts[: num_there + 1]) or "/"):
        num_there += 1
    literal = [glob.escape(part) for part in parts[:num_there]]
    found = glob.glob("/".join(literal + parts[num_there:]), recursive=True)  # noqa: PTH207
    brackets = pattern.replace("[", "[[]")
    return sorted(found or glob.glob(brackets, recursive=True))  # noqa: PTH207


def _below(folder: str, suffixes: frozenset[str]) -> Iterator[InputPath]:
    """The files below a folder; where there is none, those in the archives below it."""
    is_empty = True
    for path, name in files_below(folder, suffixes):
        is_empty = False
        yield InputPath(path, name)
    if is_empty and not suffixes & IMAGE_SUFFIXES:
        for path, name in files_below(folder, ARCHIVE_SUFFIXES):
            members = (one for one in _unpack(path, suffixes) if one.path != path)
            yield from (InputPath(one.path, os.path.join(name, one.name)) for one in members)  # noqa: PTH118


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
