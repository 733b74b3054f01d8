"""An output in a store: worked on in a local folder, its progress kept in the store as well.

Stores have whole files and nothing else: no appending, no renaming, no locks. So the work happens
in a local folder, by the same code as on a disk, and

    OUT.work/RUN/NAME@OFFSET    is what of an append-only file of it has been saved so far,
    OUT.work/new/NAME           are finished files on their way, and
    OUT.work/ready.json         says that all of those are there, and what they replace.

Killed at any moment, the next run, on whatever machine, begins with what was saved; after
`ready.json` it only has to copy. Two runs at once do the work twice and harm nothing.
"""

import fcntl
import hashlib
import json
import logging
import os
import shutil
import tempfile
import threading
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hiera_cli.errors import MediaError, OutputError
from hiera_cli.remote import Store, is_remote, without_file_scheme

SAVE_SECONDS = 30.0
PART_BYTES = 64 * 2**20

logger = logging.getLogger("hiera_cli")


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


def _stage(url: str, root: Path, suffixes: tuple[str, ...]) -> "_Stage":
    parent, _, base = url.rstrip("/").rpartition("/")
    if url.endswith("/"):
        (root / base).mkdir()
    return _Stage(Store(parent), root, base, suffixes)


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


def _save_until(stage: "_Stage", ended: threading.Event) -> None:
    while not ended.wait(SAVE_SECONDS):
        stage.try_to_save()


@contextmanager
def _output_errors(url: str, verb: str = "write") -> Iterator[None]:
    try:
        yield
    except (MediaError, OSError) as error:
        hint = getattr(error, "hint", "") or "run the same command again: saved work is kept"
        raise OutputError(f"cannot {verb} '{url}': {_reason(error)}", hint=hint) from error


def _reason(error: MediaError | OSError) -> str:
    return error.message if isinstance(error, MediaError) else str(error)


class _Stage:
    """The store and the local folder, name by name the same."""

    def __init__(self, store: Store, root: Path, base: str, suffixes: tuple[str, ...]) -> None:
        self.base = base
        self._store = store
        self._root = root
        self._names = tuple(f"{base}{suffix}" for suffix in suffixes)
        self._work = f"{base}.work/"
        self._run = uuid.uuid4().hex[:12]
        self._known: dict[str, _State] = {}  # results that the store holds
        self._whole: dict[str, _State] = {}  # small files that were saved
        self._saved: dict[str, int] = {}  # bytes of journals that were saved
        self._parts: dict[str, tuple[_State, list[str]]] = {}  # saved by earlier runs, and where

    # ---------------------------------------------------------------------- from the store

    def fetch(self, *, only_look: bool = False) -> None:
        """Bring what the store holds, after finishing what an earlier run was about to."""
        if not only_look and f"{self._work}ready.json" in self._store.sizes(self._work):
            self._settle()
        found = self._store.sizes(self.base)
        for name in filter(self._is_ours, found):
            self._store.get(name, self._root / name)
            self._known[name] = self._state(name)
        self._fetch_work()

    def _is_ours(self, name: str) -> bool:
        return any(name == own or name.startswith(f"{own}/") for own in self._names)

    def _fetch_work(self) -> None:
        """Put saved journals together, those of all runs under new numbers."""
        parts: dict[tuple[str, str], list[str]] = defaultdict(list)
        for name in sorted(self._store.sizes(self._work)):
            run, _, rest = name.removeprefix(self._work).partition("/")
            local, mark, _offset = rest.rpartition("@")
            if mark:
                parts[run, local].append(name)
        numbers: dict[tuple[str, str], int] = {}
        for (run, local), names in sorted(parts.items()):
            path = self._root / local
            if is_journal(path):
                number = numbers.setdefault((run, path.stem), len(numbers))
                path = path.with_name(f"rows-{number:04d}{path.suffix}")
            self._join(names, path)

    def _join(self, names: Sequence[str], path: Path) -> None:
        """Write parts that follow one another into a file; of small files the latest stays."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for name in names:
                if int(name.rpartition("@")[2]) == file.tell():
                    file.write(self._store.read(name))
        name = path.relative_to(self._root).as_posix()
        self._parts[name] = self._state(name), [*names]
        self._saved[name] = path.stat().st_size

    # ------------------------------------------------------------------------ to the store

    def try_to_save(self) -> None:
        """Save what has been finished since the last time; a store that fails is tried again."""
        try:
            self._save()
        except (MediaError, OSError) as error:
            logger.warning("progress could not be saved: %s", _reason(error))

    def _save(self) -> None:
        for settings in sorted(self._root.rglob("*.partial/settings.json")):
            self._forget_lost(settings.parent)
            self._save_whole(settings)
            for lines in sorted(settings.parent.glob("rows-*.jsonl")):
                end = lines.read_bytes().rfind(b"\n") + 1
                self._append(lines.with_suffix(".bin"), _end_of_blocks(lines, end))
                self._append(lines, end)  # after what it speaks of
        for errors in sorted(self._root.rglob("*.errors.jsonl")):
            self._save_whole(errors)

    def _forget_lost(self, folder: Path) -> None:
        """Remove what earlier runs saved of journals that this one has thrown away."""
        for name, (state, parts) in list(self._parts.items()):
            path = self._root / name
            is_there = path.exists() and self._state(name) == state  # and not another of its name
            if path.parent == folder and is_journal(path) and not is_there:
                self._store.remove(parts)
                del self._parts[name], self._saved[name]

    def _save_whole(self, path: Path) -> None:
        name = path.relative_to(self._root).as_posix()
        state = self._state(name)
        if state not in (self._whole.get(name), self._known.get(name)):
            self._store.write(self._part(name, 0), path.read_bytes())
            self._whole[name] = state

    def _append(self, path: Path, end: int) -> None:
        """Save a journal up to a byte."""
        name = path.relative_to(self._root).as_posix()
        begun = self._saved.get(name, 0)
        with path.open("rb") as file:
            while begun < end:
                file.seek(begun)
                content = file.read(min(PART_BYTES, end - begun))
                self._store.write(self._part(name, begun), content)
                begun += len(content)
                self._saved[name] = begun

    def _part(self, name: str, offset: int) -> str:
        return f"{self._work}{self._run}/{name}@{offset:015d}"

    def publish(self) -> None:
        """Put what has changed into the store, and end the work in progress there."""
        files = (p.relative_to(self._root).as_posix() for p in self._root.rglob("*") if p.is_file())
        results = {name for name in files if self._is_ours(name) and ".partial/" not in name}
        changed = sorted(name for name in results if self._state(name) != self._known.get(name))
        for name in changed:
            self._store.put(self._root / name, f"{self._work}new/{name}")
        ready = {"put": changed, "remove": sorted(self._known.keys() - results)}
        self._store.write(f"{self._work}ready.json", json.dumps(ready).encode())
        self._settle()

    def _settle(self) -> None:
        """Do what `ready.json` says; every step may be done again."""
        marker = f"{self._work}ready.json"
        ready = json.loads(self._store.read(marker))
        there = self._store.sizes(self._work)
        for name in ready["put"]:
            if f"{self._work}new/{name}" in there:
                self._store.copy(f"{self._work}new/{name}", name)
        present = self._store.sizes(self.base)
        self._store.remove(name for name in ready["remove"] if name in present)
        others = [name for name in there if name != marker]
        self._store.remove(others)
        self._store.remove([marker])

    def _state(self, name: str) -> "_State":
        status = (self._root / name).stat()
        return status.st_size, status.st_mtime_ns


_State = tuple[int, int]  # size and time of change


def is_folder_url(url: str) -> bool:
    """Whether an output's URL means a folder of files: as on a disk, one without a suffix does."""
    return url.endswith("/") or "." not in url.rpartition("/")[2]


def is_journal(path: Path) -> bool:
    """Whether a file of work in progress grows at its end and is never changed otherwise."""
    return path.name.startswith("rows-")


def _end_of_blocks(lines: Path, end: int) -> int:
    """Where the last block ends that complete lines of a journal speak of."""
    found = [json.loads(line)["blocks"] for line in lines.read_bytes()[:end].splitlines()]
    return max((offset + length for blocks in found for offset, length in blocks), default=0)
