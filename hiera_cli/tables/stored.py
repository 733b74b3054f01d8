"""An output in a store: worked on in a local folder by the same code as on a disk.

What is finished is saved to the store as the work goes on, by a `Stage`.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hiera_cli.errors import MediaError, OutputError
from hiera_cli.remote import Store, is_remote, without_file_scheme
from hiera_cli.tables.stage import Stage, reason_of

SAVE_SECONDS = 30.0


@contextmanager
def stored(url: str, suffixes: tuple[str, ...] = ("", ".errors.jsonl")) -> Iterator[Path]:
    """A local path for what is to be written to a URL, which holds what the store holds.

    When the block ends well, what has changed is put into the store, all at once as far as a
    store can. Otherwise what is unfinished is saved there.

    Args:
        url: of a file or, with a slash at its end, of a folder.
        suffixes: of the names of files and folders beside it that belong to the output.

    Raises:
        OutputError: the store cannot be read or written.
    """
    with _local_root(url) as root:
        with _output_errors(url):
            stage = _stage(url, root, suffixes)
            stage.fetch()
        ended = threading.Event()
        saver = threading.Thread(target=_save_until, args=(stage, ended), daemon=True)
        saver.start()
        try:
            yield root / stage.base
        except BaseException:
            _end(saver, ended)
            stage.try_to_save()
            raise
        _end(saver, ended)
        with _output_errors(url):
            stage.publish()


@contextmanager
def fetched(url: str, suffixes: tuple[str, ...] = ("", ".errors.jsonl")) -> Iterator[Path]:
    """As `stored`, to look at: a copy of what the store holds, gone after the block.

    Raises:
        OutputError: the store cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="hiera-") as folder:
        stage = _stage(url, Path(folder), suffixes)
        with _output_errors(url, "read"):
            stage.fetch(only_look=True)
        yield Path(folder) / stage.base


@contextmanager
def local_table(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A table on a disk as it is; one at a URL as a copy that is gone after the block.

    Raises:
        OutputError: the store cannot be read.
    """
    text = without_file_scheme(os.fspath(path))
    if not is_remote(text):
        yield Path(text)
        return
    with fetched(f"{text.rstrip('/')}/" if is_folder_url(text) else text) as copy:
        yield copy


def _stage(url: str, root: Path, suffixes: tuple[str, ...]) -> Stage:
    parent, _, base = url.rstrip("/").rpartition("/")
    if url.endswith("/"):
        (root / base).mkdir()
    return Stage(Store(parent), root, base, suffixes)


@contextmanager
def _local_root(url: str) -> Iterator[Path]:
    """An empty folder, the same for every run, so that killed ones leave no heap of them behind."""
    name = f"hiera-{os.getuid()}-{hashlib.sha256(url.encode()).hexdigest()[:16]}"
    root = Path(tempfile.gettempdir()) / name
    with root.with_name(f"{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            message = f"'{url}' is being written by another run on this machine"
            raise OutputError(
                message, hint="wait for it to end, or choose another --out"
            ) from error
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(mode=0o700)
        yield root
        shutil.rmtree(root, ignore_errors=True)


def _end(saver: threading.Thread, ended: threading.Event) -> None:
    ended.set()
    saver.join()


def _save_until(stage: Stage, ended: threading.Event) -> None:
    while not ended.wait(SAVE_SECONDS):
        stage.try_to_save()


@contextmanager
def _output_errors(url: str, verb: str = "write") -> Iterator[None]:
    try:
        yield
    except (MediaError, OSError) as error:
        hint = getattr(error, "hint", "") or "run the same command again: saved work is kept"
        raise OutputError(f"cannot {verb} '{url}': {reason_of(error)}", hint=hint) from error


def is_folder_url(url: str) -> bool:
    """Whether an output's URL means a folder of files: as on a disk, one without a suffix does."""
    return url.endswith("/") or "." not in url.rpartition("/")[2]
