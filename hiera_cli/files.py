"""Writing files whole or not at all, and into whatever a user names as output.

A regular file is written under a temporary name in the same folder, flushed to the disk, renamed,
and the folder is flushed too: without the last step a power cut may bring the old name back. What
is no regular file (a device, a FIFO, a socket behind /dev/fd) is never renamed over: its bytes are
copied into it. A link keeps pointing where it points; the file behind it is replaced.
"""

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hiera_cli.errors import OutputError

_LONGEST_PREFIX = 64  # of the name in a temporary one: names end at 255 bytes


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn an OSError within into an OutputError that names the output and the next step."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = "finished work is kept: free some space and run the same command again"
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR):
            hint = "choose an --out that you may write to"
        else:
            hint = "run the same command again: finished work that is still there is kept"
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise OutputError(f"cannot write '{path}': {reason}", hint=hint) from error


def is_special(path: Path) -> bool:
    """Whether something is there that is neither a regular file nor a folder, behind links."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file that takes the place of `path` when the block ends well.

    Yields:
        an empty file to write into, by name. For a special file it lies in the system's
        temporary folder and its bytes are copied at the end.

    Raises:
        OutputError: the file cannot be written; the place is as it was.
    """
    with output_errors(path):
        part = _temporary_file(path)
        try:
            yield part
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        put_in_place(part, path)


def put_in_place(part: Path, path: Path) -> None:
    """Give a complete file its name, or copy it into the special file that has that name.

    Raises:
        OSError: the disk is full or gone; `part` is deleted.
        OutputError: the name cannot be taken; the hint says where the file is.
    """
    target = path if is_special(path) else Path(os.path.realpath(path))
    try:
        if target is path:
            with part.open("rb") as source, path.open("wb") as sink:
                shutil.copyfileobj(source, sink)
            part.unlink()
            return
        part.chmod(_mode_of(target))
        flush(part)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    try:
        part.replace(target)
    except OSError as error:
        hint = f"the result is in '{part}'" if part.exists() else "run the same command again"
        raise OutputError(f"cannot write '{path}': {error.strerror}", hint=hint) from error
    flush(target.parent)


def _temporary_file(path: Path) -> Path:
    """An empty file beside the one that `path` means, or far from it where that is special."""
    special = is_special(path)
    target = path if special else Path(os.path.realpath(path))
    prefix = f".{target.name.encode()[:_LONGEST_PREFIX].decode(errors='ignore')}."
    handle, name = tempfile.mkstemp(prefix=prefix, dir=None if special else target.parent)
    os.close(handle)
    return Path(name)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """A temporary folder that takes the place of `path` when the block ends well.

    Raises:
        OutputError: the folder cannot be written; the place is as it was.
    """
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{path.name[:_LONGEST_PREFIX]}.", dir=path.parent))
        try:
            yield part
            for file in part.rglob("*"):
                flush(file)
            part.chmod(0o777 & ~_umask())
            if path.exists():
                shutil.rmtree(path)
            part.rename(path)
            flush(path.parent)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    with replacing(path) as part:
        part.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    write_bytes(path, text.encode("utf-8"))


def flush(path: Path) -> None:
    """Have the disk hold what was written to a file or folder; without effect where it cannot.

    Raises:
        OSError: the disk is full or gone.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:  # some network file systems have no fsync for folders
        if error.errno not in (errno.EINVAL, errno.EBADF, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def _mode_of(target: Path) -> int:
    """The permissions of the file that is there, else those that the umask leaves."""
    with suppress(OSError):
        return stat.S_IMODE(target.stat().st_mode)
    return 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)  # it can only be read by setting it
    os.umask(mask)
    return mask
