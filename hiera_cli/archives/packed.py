"""Members of zip and tar archives: their names, and where each lies."""

import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from hiera_cli.errors import MediaError
from hiera_cli.remote import Content, RemoteFile, is_remote, open_for_seeking

MAX_MEMBER_BYTES = 2**28  # of a picture; and of what is far smaller while it is packed
MAX_RATIO = 20


class Zip:
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


class Tar:
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
