"""Videos in object stores, by URLs that fsspec understands: `s3://bucket/folder`, `gs://…`.

A name is remote only if it begins with one of a few schemes and nothing on this machine is called
so. Credentials are found by fsspec's own means (environment, profiles, instance roles).
"""

# os.path keeps every byte of a name:
# ruff: noqa: PTH100, PTH122

import logging
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote_to_bytes

from hiera_cli.errors import MediaError

SCHEMES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "hf", "http", "https", "memory")
_URL = re.compile(rf"({'|'.join(SCHEMES)})://.", re.IGNORECASE)

LITTLE_BYTES = 2**16

logger = logging.getLogger("hiera_cli")


class Content(Protocol):
    """The bytes of a file, wherever it lies, read from its start."""

    def read(self, num_bytes: int, /) -> bytes:
        """The next bytes, so many or fewer; none at the end."""


def is_remote(path: str) -> bool:
    """Whether a name is a URL that is read through fsspec."""
    return _URL.match(path) is not None and not os.path.lexists(path)


def url_of(path: str | os.PathLike[str]) -> str | None:
    """The URL that a path was before pathlib made one slash of two; None for what is a path."""
    text = re.sub(r"^(\w+):/(?=[^/])", r"\1://", os.fspath(path))
    return text if is_remote(text) else None


def without_file_scheme(name: str) -> str:
    """The path that a `file://` URL means; any other name as it is.

    A path that is there as it is spelled is that path; else %XX are the bytes that they stand for.
    """
    if os.path.lexists(name) or not name.lower().startswith("file://"):
        return name
    path = name[len("file://") :].removeprefix("localhost")
    return path if os.path.lexists(path) or "%" not in path else os.fsdecode(unquote_to_bytes(path))


def absolute(path: str) -> str:
    """The name as it means the same in every folder: an absolute path, or the URL that it is."""
    return path if is_remote(path) else os.path.abspath(path)


def expand_url(url: str, suffixes: frozenset[str]) -> Iterator[tuple[str, str]]:
    """URL and name of every file that a URL means: itself, or those below it, or matches of it.

    Args:
        url: of a file, a folder or a glob pattern.
        suffixes: the files that a folder is searched for, lower case, with the dot.
    What cannot be listed is passed on as it is: one input that fails must not stop the others.
    """
    try:
        system, place = _system(url)
        if "*" in place or "[" in place:
            matches = (system.unstrip_protocol(one) for one in sorted(system.glob(place)))
            found = [(one, one) for one in matches]
        elif system.isdir(place):
            below = (one for one in sorted(system.find(place)) if _suffix(one) in suffixes)
            found = [(system.unstrip_protocol(one), _below(one, place)) for one in below]
        else:
            found = [(url, url)]
    except Exception:  # every store has errors of its own; opening it says which, in a record
        logger.debug("cannot list %s", url, exc_info=True)
        found = []
    yield from found or [(url, url)]


def subfolders_of(url: str) -> list[str]:
    """Names of the folders directly below a folder in a store, sorted; none where it has none."""
    return sorted(name for name, is_folder in _names_in(url.rstrip("/")) if is_folder)


def is_there(url: str) -> bool:
    """Whether a store lists a file of that name; True where a store lists nothing at all."""
    folder, _, name = url.rpartition("/")
    names = _names_in(folder)
    return not names or (name, False) in names


@lru_cache(maxsize=4096)
def _names_in(folder: str) -> frozenset[tuple[str, bool]]:
    """Names in a folder, each with whether it is a folder; empty where it cannot be listed."""
    try:
        system, place = _system(folder)
        found = system.ls(place, detail=True)
    except Exception:  # every store has errors of its own
        logger.debug("cannot list %s", folder, exc_info=True)
        return frozenset()
    named = ((str(one["name"]).rstrip("/"), one["type"] == "directory") for one in found)
    return frozenset((name.rpartition("/")[2], is_folder) for name, is_folder in named)


@contextmanager
def open_url(url: str) -> Iterator[Content]:
    """A remote file, to be read in pieces.

    Raises:
        MediaError: it is not there, may not be read, or its store cannot be reached. Reading it,
            too, raises this while the block lasts.
    """
    with _store_errors():
        system, place = _system(url)
        with system.open(place, "rb") as content:
            yield content


def open_for_seeking(url: str) -> Any:
    """A remote file that is read here and there, a little at a time; whoever asks closes it.

    Raises:
        MediaError: as `open_url`.
    """
    with _store_errors():
        system, place = _system(url)
        return system.open(place, "rb", block_size=LITTLE_BYTES)


class RemoteFile:
    """A remote file of which parts can be fetched; nothing is kept.

    Raises:
        MediaError: as `open_url`.
    """

    def __init__(self, url: str) -> None:
        with _store_errors():
            self._system, self._place = _system(url)
            size = self._system.info(self._place).get("size")
        self.num_bytes: int | None = None if size is None else int(size)

    def fetch(self, start: int, stop: int) -> bytes:
        """The bytes from `start` up to `stop`.

        Raises:
            MediaError: as `open_url`; also where the store does not give parts of files.
        """
        with _store_errors():
            found: bytes = self._system.cat_file(self._place, start=start, end=stop)
        if len(found) != stop - start:
            raise MediaError("internal", "the store does not give parts of files")
        return found


@contextmanager
def _store_errors() -> Iterator[None]:
    """Every store has errors of its own; here they become ours."""
    try:
        yield
    except MediaError:
        raise
    except FileNotFoundError as error:
        raise MediaError("not_found", "no such file in the store") from error
    except PermissionError as error:
        raise MediaError("permission", "the store refuses it: check your credentials") from error
    except Exception as error:
        raise MediaError("internal", f"{type(error).__name__}: {error}") from error


class Store:
    """A folder in a store, to be written to; names are relative to it.

    Every method raises MediaError as `open_url` does.

    Args:
        url: of the folder; nothing has to be there.
    """

    def __init__(self, url: str) -> None:
        with _store_errors():
            self._system, place = _system(url)
        self._place = place.rstrip("/")

    def sizes(self, prefix: str) -> dict[str, int]:
        """The files whose names begin so, each with its size."""
        folder = f"{self._place}/{prefix.rpartition('/')[0]}".rstrip("/")
        with _store_errors():
            self._system.invalidate_cache()
            found = self._system.find(folder, detail=True)
        own = {_below(path, self._place): int(about["size"] or 0) for path, about in found.items()}
        return {name: size for name, size in own.items() if name.startswith(prefix)}

    def get(self, name: str, path: Path) -> None:
        """Copy a file from the store."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with _store_errors():
            self._system.get_file(self._at(name), str(path))

    def put(self, path: Path, name: str) -> None:
        """Copy a file to the store, where it appears whole or not at all."""
        with _store_errors():
            self._system.put_file(str(path), self._at(name))

    def write(self, name: str, content: bytes) -> None:
        """Write a small file, whole or not at all."""
        with _store_errors():
            self._system.pipe_file(self._at(name), content)

    def read(self, name: str) -> bytes:
        """The content of a small file."""
        with _store_errors():
            content: bytes = self._system.cat_file(self._at(name))
        return content

    def copy(self, name: str, other: str) -> None:
        """Copy a file within the store."""
        with _store_errors():
            self._system.cp_file(self._at(name), self._at(other))

    def remove(self, names: Iterable[str]) -> None:
        """Remove files that are there."""
        with _store_errors():
            for name in names:
                self._system.rm_file(self._at(name))

    def _at(self, name: str) -> str:
        return f"{self._place}/{name}"


def _system(url: str) -> tuple[Any, str]:
    """Fsspec's file system for a URL, and the place in it.

    Raises:
        MediaError: fsspec, or its driver for this scheme, is not installed.
    """
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        message = "URLs need the package fsspec, which is not installed"
        raise MediaError("internal", message, hint="pip install 'hiera-cli[remote]'") from error
    try:
        system, place = url_to_fs(url)
    except ImportError as error:  # its message names the driver
        scheme = url.partition(":")[0]
        raise MediaError(
            "internal",
            f"URLs of {scheme}:// need a driver that is not installed: {error}",
            hint="pip install s3fs (s3://), gcsfs (gs://), adlfs (az://) or aiohttp (https://)",
        ) from error
    return system, place


def _suffix(path: str) -> str:
    return os.path.splitext(path)[1].lower()


def _below(path: str, folder: str) -> str:
    return path[len(folder) :].lstrip("/")
