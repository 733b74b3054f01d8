"""Zip archives of pictures, read in place: `pictures.zip/train/cat/1.jpg` names a member.

Such a name is never that of a file: a path that leads through a file leads nowhere. Members are
read one at a time, none that is larger than a picture has any reason to be.
"""

# os.path keeps every byte of a name, and says no where Path raises:
# ruff: noqa: PTH113, PTH118, PTH122

import os
import zipfile
import zlib
from collections.abc import Iterator
from functools import lru_cache

from hiera_cli.errors import MediaError, UsageError

SUFFIX = ".zip"
MAX_MEMBER_BYTES = 2**28


def split_archive(path: str) -> tuple[str, str] | None:
    """The archive and the name in it, which may be empty; None where no archive is on the way."""
    lower, end = path.lower(), 0
    while (start := lower.find(SUFFIX, end)) >= 0:
        end = start + len(SUFFIX)
        if path[end : end + 1] in ("", "/") and os.path.isfile(path[:end]):
            return path[:end], path[end + 1 :].strip("/")
    return None


def members_below(path: str, suffixes: frozenset[str]) -> Iterator[str]:
    """The members below an archive or a folder in it, in sorted order, as paths through it.

    Raises:
        UsageError: not a zip archive, or damaged.
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
    """The content of a member.

    Raises:
        MediaError: there is none, it is damaged, encrypted or too large.
    """
    place = split_archive(path)
    if place is None:
        raise MediaError("not_found", "no such file")
    try:
        archive = _opened(*_identity(place[0]))
        info = archive.getinfo(place[1])
        if info.file_size > MAX_MEMBER_BYTES:
            raise MediaError("too_large", f"{info.file_size:,} bytes in an archive")
        return archive.read(info)
    except KeyError as error:
        raise MediaError("not_found", "the archive holds no such file") from error
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise MediaError("corrupt", f"cannot read it from the archive: {error}") from error


def _names(archive: str) -> list[str]:
    """All names in an archive, sorted, but for hidden ones.

    Raises:
        UsageError: not a zip archive, or damaged.
    """
    try:
        names = _opened(*_identity(archive)).namelist()
    except (OSError, zipfile.BadZipFile, NotImplementedError) as error:
        raise UsageError(f"cannot read the archive '{archive}': {error}") from error
    hidden = (".", "__MACOSX")
    return sorted(n for n in names if not any(p.startswith(hidden) for p in n.split("/")))


def _identity(path: str) -> tuple[str, int, int]:
    """The archive, its time of change, and this process: forked ones must not share a handle."""
    return path, os.stat(path).st_mtime_ns, os.getpid()  # noqa: PTH116


@lru_cache(maxsize=4)
def _opened(path: str, changed_ns: int, process_id: int) -> zipfile.ZipFile:
    """The archive, its directory read once."""
    del changed_ns, process_id  # part of the key
    return zipfile.ZipFile(path)
