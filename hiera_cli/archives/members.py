"""Paths through archives: `pictures.zip/train/cat/1.jpg` names a member.

Such a name is never that of a file: a path that leads through a file leads nowhere. Members are
found by the archive's directory, in a tar by one walk over its headers, in a Parquet table by its
column of paths; nothing is unpacked but the member that is asked for. An archive at a URL is
looked into in small pieces, and of a member in a tar exactly its bytes are fetched. Tars that are
compressed as a whole are no archives here: every look would unpack all that comes before.
"""

# os.path keeps every byte of a name, and says no where Path raises:
# ruff: noqa: PTH113, PTH118, PTH122

import os
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TypeVar

from hiera_cli.archives.packed import MAX_MEMBER_BYTES, Tar, Zip
from hiera_cli.archives.parquet import MediaTable
from hiera_cli.errors import MediaError, UsageError
from hiera_cli.remote import Content, is_remote

T = TypeVar("T")
_PATTERN = re.compile(r"[*\[{]")
_SUFFIX = re.compile(r"\.(zip|tar|parquet)(?=/|$)", re.IGNORECASE)


def split_archive(path: str) -> tuple[str, str] | None:
    """The archive and the name in it, which may be empty; None where no archive is on the way."""
    for match in _SUFFIX.finditer(path):
        archive = path[: match.end()]
        if os.path.isfile(archive) or (is_remote(archive) and not _PATTERN.search(archive)):
            return path[: match.end()], path[match.end() + 1 :].strip("/")
    return None


def members_below(path: str, suffixes: frozenset[str]) -> Iterator[str]:
    """The members below an archive or a folder in it, as paths through it.

    They are sorted, but for those of a table, which are in the order of its rows.

    Raises:
        UsageError: not an archive, or damaged.
    """
    place = split_archive(path)
    assert place is not None, "not a path through an archive"
    archive, folder = place
    prefix = f"{folder}/" if folder else ""
    for name in _names(archive):
        if name.startswith(prefix) and os.path.splitext(name)[1].lower() in suffixes:
            yield os.path.join(archive, name)


def subfolders(path: str) -> list[str]:
    """Names of the folders directly below an archive or a folder in it, sorted."""
    place = split_archive(path)
    assert place is not None
    prefix = f"{place[1]}/" if place[1] else ""
    below = (name.removeprefix(prefix) for name in _names(place[0]) if name.startswith(prefix))
    return sorted({name.partition("/")[0] for name in below if "/" in name})


def media_table(path: str) -> MediaTable | None:
    """The Parquet table at a path; None where there is none, or no column of videos or pictures.

    Raises:
        UsageError: damaged.
    """
    place = split_archive(path)
    if place is None or place[1] or not path.lower().endswith(".parquet"):
        return None
    return _table(path) if _names(path) else None


def in_reading_order(items: Iterable[T], path_of: Callable[[T], str]) -> list[T]:
    """The items, those behind which rows of tables are at the end, in the order of the rows.

    Tables are read a row group at a time; in any other order each would be read many times.
    """
    return sorted(items, key=lambda item: _reading_place(path_of(item)))


def _reading_place(path: str) -> tuple[str, int]:
    place = split_archive(path) if ".parquet/" in path.lower() else None
    if place is None or not place[0].lower().endswith(".parquet"):
        return "", 0
    try:
        return place[0], _table(place[0]).row(place[1])
    except (MediaError, OSError):  # opening the member says why
        return place[0], 0


def _table(path: str) -> MediaTable:
    found = _opened(*_identity(path))
    assert isinstance(found, MediaTable)
    return found


def read_member(path: str) -> bytes:
    """The content of a member that is a picture.

    Raises:
        MediaError: there is none, it is damaged, encrypted or too large.
    """
    with open_member(path) as content:
        found = content.read(MAX_MEMBER_BYTES + 1)
        if len(found) > MAX_MEMBER_BYTES:
            raise MediaError("too_large", f"over {MAX_MEMBER_BYTES:,} bytes in an archive")
        return found


@contextmanager
def open_member(path: str) -> Iterator[Content]:
    """A member, to be read in pieces.

    Raises:
        MediaError: there is none, it is damaged, encrypted, or a bomb. Reading it, too, raises
            this while the block lasts.
    """
    place = split_archive(path)
    if place is None:
        raise MediaError("not_found", "no such file")
    try:
        with _opened(*_identity(place[0])).open(place[1]) as content:
            yield content
    except KeyError as error:
        raise MediaError("not_found", "the archive holds no such file") from error
    except (OSError, zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
        raise MediaError("corrupt", f"cannot read it from the archive: {error}") from error
    except (RuntimeError, NotImplementedError) as error:  # encrypted; packed in an unknown way
        raise MediaError("corrupt", f"cannot read it from the archive: {error}") from error


def _names(archive: str) -> list[str]:
    """All names in an archive, in order, but for hidden ones.

    Raises:
        UsageError: not an archive, or damaged.
    """
    try:
        opened = _opened(*_identity(archive))
    except MediaError as error:
        message = f"cannot read the archive '{archive}': {error.message}"
        raise UsageError(message, hint=error.hint) from error
    except (OSError, zipfile.BadZipFile, tarfile.TarError, NotImplementedError) as error:
        raise UsageError(f"cannot read the archive '{archive}': {error}") from error
    hidden = (".", "__MACOSX")
    names = opened.names if isinstance(opened, MediaTable) else sorted(opened.names)
    return [n for n in names if not any(p.startswith(hidden) for p in n.split("/"))]


def _identity(path: str) -> tuple[str, int, int]:
    """The archive, its time of change, and this process: forked ones must not share a handle."""
    changed_ns = 0 if is_remote(path) else os.stat(path).st_mtime_ns  # noqa: PTH116
    return path, changed_ns, os.getpid()


@lru_cache(maxsize=16)
def _opened(path: str, changed_ns: int, process_id: int) -> Zip | Tar | MediaTable:
    """The archive, its directory read once."""
    del changed_ns, process_id  # part of the key
    if path.lower().endswith(".parquet"):
        return MediaTable(path)
    return Tar(path) if path.lower().endswith(".tar") else Zip(path)
