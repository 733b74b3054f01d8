"""The inputs of a command: found in the background while the first of them are worked on."""

import queue
import sys
import threading
from collections.abc import Iterator, Sequence

from hiera_cli.cli import console
from hiera_cli.errors import NoInputError
from hiera_cli.inputs import InputPath, expand_inputs


class Sources:
    """The files that inputs name, in order; iterate once.

    Args:
        inputs: as `expand_inputs` takes them.

    Raises:
        UsageError: a list that cannot be read.
        NoInputError: they name no file.
    """

    def __init__(self, inputs: Sequence[str]) -> None:
        self._found: queue.SimpleQueue[InputPath | Exception | None] = queue.SimpleQueue()
        self._num_found = 0
        self._is_complete = False
        files = expand_inputs(inputs, stdin=sys.stdin)
        self._first = next(files, None)
        if self._first is None:
            raise NoInputError("no video found", hint="name files or a folder that holds some")
        threading.Thread(target=self._walk, args=(files,), daemon=True).start()

    def _walk(self, files: Iterator[InputPath]) -> None:
        try:
            for self._num_found, file in enumerate(files, start=1):
                self._found.put(file)
        except Exception as error:  # noqa: BLE001 - raised where the files are used
            self._found.put(error)
        self._is_complete = True
        self._found.put(None)

    def num(self) -> int | None:
        """How many there are, as soon as that is known."""
        return self._num_found + 1 if self._is_complete else None

    def __iter__(self) -> Iterator[InputPath]:
        assert self._first is not None
        yield self._first
        while (file := self._found.get()) is not None:
            if isinstance(file, Exception):
                raise file
            yield file


def find_files(inputs: Sequence[str], *, quiet: bool) -> list[InputPath]:
    """All files that inputs name, for commands that must know them before they begin.

    Raises:
        UsageError: a list that cannot be read.
        NoInputError: they name no file.
    """
    with console.waiting("looking for videos", quiet=quiet):
        files = list(expand_inputs(inputs, stdin=sys.stdin))
    if not files:
        raise NoInputError("no video found", hint="name files or a folder that holds some")
    return files
