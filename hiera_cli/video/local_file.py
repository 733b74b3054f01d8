"""A name that the decoding process can open, for whatever the user named.

A plain file is itself. A member of an archive, or what a URL names, is copied into a file that has
no name on any disk: in memory while it is small, else in the folder for temporary files, where it
is gone with this process however that ends. So the decoder, which may neither write nor open
anything but its file, has a plain file in front of it, and the cost is bounded by one video for
each that is decoded.
"""

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from itertools import chain
from typing import IO

from hiera_cli.archives import open_member, split_archive
from hiera_cli.errors import MediaError
from hiera_cli.remote import Content, RemoteFile, is_remote, open_url
from hiera_cli.video.holes import MIN_BYTES, Holes, fetch_index

COPY_BYTES = 2**20
MAX_BYTES_IN_MEMORY = 2**25

logger = logging.getLogger("hiera_cli")


@contextmanager
def local_or_holes(path: str) -> Iterator[tuple[str, Holes | None]]:
    """As `local_file`; of a long remote MP4 file only what says where everything is.

    Yields:
        the path, and what fills the rest of the file; None where the file is whole.

    Raises:
        MediaError: it is in an archive or a store, and cannot be read.
    """
    with ExitStack() as stack:
        found = _with_holes(path, stack) if _may_have_holes(path) else None
        if found is not None:
            yield found
            return
        yield stack.enter_context(local_file(path)), None


def _may_have_holes(path: str) -> bool:
    return is_remote(path) and split_archive(path) is None and _has_proc()


def _with_holes(path: str, stack: ExitStack) -> tuple[str, Holes] | None:
    """A file with holes, which the stack closes; None where it should be copied whole."""
    try:
        remote = RemoteFile(path)
        if remote.num_bytes is None or remote.num_bytes < MIN_BYTES:
            return None
        file = stack.enter_context(_new_file(in_memory=False))
        holes = Holes(file.fileno(), remote.num_bytes, remote.fetch)
        return (_path_of(file), holes) if fetch_index(holes) else None
    except (MediaError, OSError):  # the copy says what is wrong, if anything is
        logger.debug("%s cannot be read in parts", path, exc_info=True)
        return None


@contextmanager
def local_file(path: str) -> Iterator[str]:
    """A path to a file with the content of `path`, for as long as the block lasts.

    Raises:
        MediaError: it is in an archive or a store, and cannot be read.
    """
    source = _source(path)
    if source is None:
        yield path
        return
    with ExitStack() as stack:
        with source as content:
            file = _copy(content, stack)
        yield _path_of(file)


def _source(path: str) -> AbstractContextManager[Content] | None:
    """What is to be copied; None for a plain file."""
    if "\0" in path:
        return None
    place = split_archive(path)
    if place is not None and place[1]:
        return open_member(path)
    return open_url(path) if is_remote(path) else None


def _copy(content: Content, stack: ExitStack) -> IO[bytes]:
    """A nameless file with the content, which the stack closes."""
    start = content.read(MAX_BYTES_IN_MEMORY)
    rest = content.read(1) if len(start) == MAX_BYTES_IN_MEMORY else b""
    file = stack.enter_context(_new_file(in_memory=not rest))
    try:
        for piece in chain((start, rest), iter(partial(content.read, COPY_BYTES), b"")):
            file.write(piece)
        file.flush()
    except OSError as error:
        raise MediaError("internal", f"no copy of it can be made: {error.strerror}") from error
    return file


def _new_file(*, in_memory: bool) -> IO[bytes]:
    if not _has_proc():
        return tempfile.NamedTemporaryFile(prefix="hiera-")
    if in_memory and hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("video", os.MFD_CLOEXEC), "w+b")
    return tempfile.TemporaryFile(prefix="hiera-")


def _path_of(file: IO[bytes]) -> str:
    if _has_proc():
        return f"/proc/{os.getpid()}/fd/{file.fileno()}"
    return os.fspath(file.name)


def _has_proc() -> bool:
    """Whether files without a name can be opened, by us and by our children."""
    return os.path.isdir("/proc/self/fd")  # noqa: PTH112
