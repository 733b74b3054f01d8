"""Where a table goes: its names, its lock, and what a failing disk is called."""

import contextlib
import fcntl
import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from hiera_cli.errors import OutputError, UsageError
from hiera_cli.files import is_special, output_errors
from hiera_cli.remote import is_remote, without_file_scheme

logger = logging.getLogger("hiera_cli")


@dataclass(frozen=True, slots=True)
class Output:
    """One file, or a folder of shards.

    Attributes:
        path: the file or folder.
        is_folder: whether shards are meant.
        is_special: whether the file is a device, a FIFO or the like: the table is copied into it,
            and what belongs beside a table lies in the system's temporary folder.
    """

    path: Path
    is_folder: bool
    is_special: bool = False

    @property
    def files(self) -> list[Path]:
        """The finished files, in row order; none when nothing was finished yet."""
        if self.is_folder:
            return sorted(self.path.glob("part-*-of-*.parquet"))
        return [self.path] if self.path.exists() and not self.is_special else []

    @property
    def partial(self) -> Path:
        """The folder of work in progress; on the same file system as the result."""
        if self.is_folder:
            return self.path / ".partial"
        return self._beside.with_name(self._beside.name + ".partial")

    @property
    def settings(self) -> Path:
        """What the work in progress is made with; without this file there is no such work."""
        return self.partial / "settings.json"

    @property
    def errors(self) -> Path:
        """The list of inputs that failed, one JSON object a line."""
        return self._beside.with_name(self._beside.name + ".errors.jsonl")

    @property
    def _beside(self) -> Path:
        """The name that the names of other files begin with."""
        if not self.is_special:
            return self.path
        return (
            Path(tempfile.gettempdir()) / f"hiera-{os.getuid()}{str(self.path).replace('/', '-')}"
        )


def parse_output(out: str | os.PathLike[str]) -> Output:
    """A folder if it ends in a slash, is one already, or has no suffix; else a file.

    A link means what it points to: the file behind it is replaced, not the link.

    Raises:
        UsageError: a URL, to which nothing can be appended.
    """
    text = without_file_scheme(os.fspath(out))
    if is_remote(text):
        raise UsageError(
            f"the table cannot be written to '{text}'",
            hint="write it to a disk, and copy it there when it is finished",
        )
    if is_special(Path(text)):
        return Output(Path(text).absolute(), is_folder=False, is_special=True)
    path = Path(os.path.realpath(text))
    return Output(path, is_folder=text.endswith("/") or path.is_dir() or not path.suffix)


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
        # flock, not a pid file: it is gone with the process, however that ends
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.seek(0)
        raise OutputError(
            f"{output.path} is being written by another run ({lock.read().strip()})",
            hint="wait for it to end, or choose another --out",
        ) from error
    except OSError as error:
        logger.warning("this file system cannot lock %s: %s", output.path, error)
    # the file was opened before the other run ended and deleted it: a lock on nothing
    if os.fstat(lock.fileno()).st_nlink == 0:
        raise OutputError(
            f"{output.path} was finished by another run this moment",
            hint="run the same command again",
        )
    with output_errors(output.path):
        lock.truncate(0)
        lock.write(f"process {os.getpid()} on {socket.gethostname()}")
        lock.flush()


def write_all(file: IO[bytes], data: memoryview) -> None:
    """Write to an unbuffered file: a nearly full disk takes a part before it refuses.

    Raises:
        OSError: the disk is full or gone.
    """
    while data:
        data = data[file.write(data) :]
