"""Zip and tar archives, read in place: `pictures.zip/train/cat/1.jpg` names a member.

Such a name is never that of a file: a path that leads through a file leads nowhere. Members are
found by the archive's directory or, in a tar, by one walk over its headers; nothing is unpacked
but the member that is asked for. An archive at a URL is looked into in small pieces, and of a
member in a tar exactly its bytes are fetched. Tars that are compressed as a whole are no archives
here: every look would unpack all that comes before.
"""

# os.path keeps every byte of a name, and says no where Path raises:
# ruff: noqa: PTH113, PTH118, PTH122

import os
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Protocol

from hiera_cli.errors import MediaError, UsageError
from hiera_cli.remote import RemoteFile, is_remote, open_for_seeking

MAX_MEMBER_BYTES = 2**28  # of a picture; and of what is far smaller while it is packed
MAX_RATIO = 20
_PATTERN = re.compile(r"[*\[{]")
_SUFFIX = re.compile(r"\.(zip|tar)(?=/|$)", re.IGNORECASE)


class Content(Protocol):
    """A member, open for reading from its start."""

    def read(self, num_bytes: int, /) -> bytes:
        """The next bytes, so many or fewer; none at the end."""


def split_archive(path: str) -> tuple[str, str] | None:
    """The archive and the name in it, which may be empty; None where no archive is on the way."""
    for match in _SUFFIX.finditer(path):
        archive = path[: match.end()]
        if os.path.isfile(archive) or (is_remote(archive) and not _PATTERN.search(archive)):
            return path[: match.end()], path[match.end() + 1 :].strip("/")
    return None


def members_below(path: str, suffixes: frozenset[str]) -> Iterator[str]:
    """The members below an archive or a folder in it, in sorted order, as paths through it.

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


class _Zip:
    """A zip archive whose directory has been read."""

    def __init__(self, path: str) -> None:
        self._file = zipfile.ZipFile(open_for_seeking(path) if is_remote(path) else path)
        self.names = tuple(name for name in self._file.namelist() if not name.endswith("/"))

    @contextmanager
    def open(self, name: str) -> Iterator[Content]:
        info = self._file.getinfo(name)
        if info.file_size > max(MAX_MEMBER_BYTES, MAX_RATIO * info.compress_size):
            raise MediaError("too_large", f"{info.file_size:,} bytes, packed as if it were nothing")
        with self._file.open(info) as content:
            yield content


class _Tar:
    """A tar archive: where each member lies; sparse members and links are left out."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._places: Mapping[str, tuple[int, int]] = {}
        places = {}
        with (
            open_for_seeking(path) if is_remote(path) else open(path, "rb") as raw,  # noqa: PTH123
            tarfile.open(fileobj=raw, mode="r:") as file,
        ):
            for member in file:
                if member.isreg() and not member.issparse():
                    places[member.name.removeprefix("./")] = member.offset_data, member.size
                file.members = []  # type: ignore[attr-defined]  # they would all be kept
        self._places = places
        self.names = tuple(places)

    @contextmanager
    def open(self, name: str) -> Iterator[Content]:
        offset, size = self._places[name]
        if is_remote(self._path):
            yield _Fetched(RemoteFile(self._path), offset, size)
            return
        with open(self._path, "rb") as file:  # noqa: PTH123
            file.seek(offset)
            yield _Span(file, size)


class _Span:
    """The next bytes of a file, as a file."""

    def __init__(self, file: Content, num_bytes: int) -> None:
        self._file = file
        self._num_left = num_bytes

    def read(self, num_bytes: int, /) -> bytes:
        """The next bytes.

        Raises:
            EOFError: the archive ends before its member does.
        """
        wanted = min(num_bytes, self._num_left)
        found = self._file.read(wanted)
        if wanted and not found:
            raise EOFError("it was cut short")
        self._num_left -= len(found)
        return found


class _Fetched:
    """Bytes of a remote file, as a file."""

    def __init__(self, file: RemoteFile, offset: int, num_bytes: int) -> None:
        self._file = file
        self._offset = offset
        self._stop = offset + num_bytes

    def read(self, num_bytes: int, /) -> bytes:
        """The next bytes.

        Raises:
            MediaError: the store does not give them.
        """
        stop = min(self._offset + num_bytes, self._stop)
        found = self._file.fetch(self._offset, stop) if stop > self._offset else b""
        self._offset = stop
        return found


def _names(archive: str) -> list[str]:
    """All names in an archive, sorted, but for hidden ones.

    Raises:
        UsageError: not an archive, or damaged.
    """
    try:
        names = _opened(*_identity(archive)).names
    except MediaError as error:
        message = f"cannot read the archive '{archive}': {error.message}"
        raise UsageError(message, hint=error.hint) from error
    except (OSError, zipfile.BadZipFile, tarfile.TarError, NotImplementedError) as error:
        raise UsageError(f"cannot read the archive '{archive}': {error}") from error
    hidden = (".", "__MACOSX")
    return sorted(n for n in names if not any(p.startswith(hidden) for p in n.split("/")))


def _identity(path: str) -> tuple[str, int, int]:
    """The archive, its time of change, and this process: forked ones must not share a handle."""
    changed_ns = 0 if is_remote(path) else os.stat(path).st_mtime_ns  # noqa: PTH116
    return path, changed_ns, os.getpid()


@lru_cache(maxsize=16)
def _opened(path: str, changed_ns: int, process_id: int) -> _Zip | _Tar:
    """The archive, its directory read once."""
    del changed_ns, process_id  # part of the key
    return _Tar(path) if path.lower().endswith(".tar") else _Zip(path)
