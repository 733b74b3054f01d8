"""A stage: the local folder in which an output of a store is made, and what of it the store holds.

Stores have whole files and nothing else: no appending, no renaming, no locks. So there is

    OUT.work/RUN/NAME@OFFSET    for what of an append-only file has been saved so far,
    OUT.work/new/NAME           for finished files on their way, and
    OUT.work/ready.json         which says that all of those are there, and what they replace.

Killed at any moment, the next run, on whatever machine, begins with what was saved; after
`ready.json` it only has to copy. Two runs at once do the work twice and harm nothing.
"""

import json
import logging
import uuid
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from hiera_cli.errors import MediaError
from hiera_cli.remote import Store

PART_BYTES = 64 * 2**20
_State = tuple[int, int]  # size and time of change

logger = logging.getLogger("hiera_cli")


class Stage:
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
            logger.warning("progress could not be saved: %s", reason_of(error))

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

    def _state(self, name: str) -> _State:
        status = (self._root / name).stat()
        return status.st_size, status.st_mtime_ns


def is_journal(path: Path) -> bool:
    """Whether a file of work in progress grows at its end and is never changed otherwise."""
    return path.name.startswith("rows-")


def _end_of_blocks(lines: Path, end: int) -> int:
    """Where the last block ends that complete lines of a journal speak of."""
    found = [json.loads(line)["blocks"] for line in lines.read_bytes()[:end].splitlines()]
    return max((offset + length for blocks in found for offset, length in blocks), default=0)


def reason_of(error: MediaError | OSError) -> str:
    """Why a store failed, in a few words."""
    return error.message if isinstance(error, MediaError) else str(error)
