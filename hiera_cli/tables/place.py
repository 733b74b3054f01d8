"""Where a table goes: its names, its lock, and what a failing disk is called."""

import contextlib
import errno
import fcntl
import logging
import os
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from hiera_cli.errors import OutputError

logger = logging.getLogger("hiera_cli")


@dataclass(frozen=True, slots=True)
class Output:
    """One file, or a folder of shards.

    Attributes:
        path: the file or folder.
        is_folder: whether shards are meant.
    """

    path: Path
    is_folder: bool

    @property
    def files(self) -> list[Path]:
        """The finished files, in row order; none when nothing was finished yet."""
        if self.is_folder:
            return sorted(self.path.glob("part-*-of-*.parquet"))
        return [self.path] if self.path.exists() else []

    @property
    def partial(self) -> Path:
        """The folder of work in progress; on the same file system as the result."""
        if self.is_folder:
            return self.path / ".partial"
        return self.path.with_name(self.path.name + ".partial")

    @property
    def settings(self) -> Path:
        """What the work in progress is made with; without this file there is no such work."""
        return self.partial / "settings.json"

    @property
    def errors(self) -> Path:
        """The list of inputs that failed, one JSON object a line."""
        return self.path.with_name(self.path.name + ".errors.jsonl")


def parse_output(out: str | os.PathLike[str]) -> Output:
    """A folder if it ends in a slash, is one already, or has no suffix; else a file."""
    text = os.fspath(out)
    path = Path(text).absolute()
    return Output(path, is_folder=text.endswith("/") or path.is_dir() or not path.suffix)


@contextlib.contextmanager
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
        raise OutputError(f"cannot write {path}: {reason}", hint=hint) from error


@contextlib.contextmanager
def lock_output(output: Output) -> Iterator[None]:
    """Hold the output for this process; makes its folder of work in progress, drops it if empty.

    Raises:
        OutputError: the folder cannot be made, or another run holds the output.
    """
    with output_errors(output.path):
        output.partial.mkdir(parents=True, exist_ok=True)
        lock = (output.partial / "lock").open("a+")
    with lock:
        _acquire(lock, output)
        try:
            yield
        finally:
            if not output.settings.exists():
                shutil.rmtree(output.partial, ignore_errors=True)


def _acquire(lock: IO[str], output: Output) -> None:
    """Lock the file and leave our name in it for the one who comes second."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.seek(0)
        raise OutputError(
            f"{output.path} is being written by another run ({lock.read().strip()})",
            hint="wait for it to end, or choose another --out",
        ) from error
    except OSError as error:
        logger.warning("this file system cannot lock %s: %s", output.path, error)
    if os.fstat(lock.fileno()).st_nlink == 0:
        raise OutputError(
            f"{output.path} was finished by another run this moment",
            hint="run the same command again",
        )
    with output_errors(output.path):
        lock.truncate(0)
        lock.write(f"process {os.getpid()} on {socket.gethostname()}")
        lock.flush()


def write_file(path: Path, text: str) -> None:
    """Write a small file whole: under a temporary name, flushed, renamed.

    Raises:
        OSError: the disk is full or may not be written.
    """
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def write_all(file: IO[bytes], data: memoryview) -> None:
    """Write to an unbuffered file: a nearly full disk takes a part before it refuses.

    Raises:
        OSError: the disk is full or gone.
    """
    while data:
        data = data[file.write(data) :]
