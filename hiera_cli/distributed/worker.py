"""What runs on the other machines: a model loaded once, videos in, events and records out.

Plain Python, without ray: an actor is an object of this class whose methods are called from afar.
The engine runs in a thread of its own over an endless stream of videos, so that its decoders stay
ahead from one call to the next. Files come in and results go out with every `step`.
"""

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hiera_cli.errors import HieraError
from hiera_cli.inputs import InputPath
from hiera_cli.tables.columns import Column
from hiera_cli.tables.rows import Block, Event, RelayWriter, RowWriter

STEP_SECONDS = 1.0  # at the longest, without news
GATHER_SECONDS = 0.25  # news are gathered so long: an answer for each costs the engine a tenth
MAX_HELD_BYTES = 16 * 2**20  # of results that nobody has fetched yet; then the engine waits
RECORD_BYTES = 1024  # about what a small event costs


class Job(Protocol):
    """A model that is ready, and what is done with it."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the rows that it makes."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """All that the values in the rows depend on, as JSON."""

    def write(self, files: Iterable[InputPath], writer: RowWriter) -> Iterator[Any]:
        """Write rows for videos; yields a record for each, in order, after its last word."""


class Task(Protocol):
    """What is to be done, small enough to be sent."""

    def open(self, num_cores: int) -> Job:
        """Get ready on this machine, of whose cores so many are ours."""


@dataclass(frozen=True, slots=True)
class Description:
    """What an opened job makes; `error` where it could not be opened."""

    columns: tuple[Column, ...] = ()
    settings: Mapping[str, Any] | None = None
    error: HieraError | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """A video is finished: its record."""

    record: Any


@dataclass(frozen=True, slots=True)
class Report:
    """What happened since the last one.

    Attributes:
        events: what happens to the table, and the records, in order.
        num_waiting: files that the loader has not taken yet.
        error: what ended the engine.
    """

    events: Sequence[Event | Done]
    num_waiting: int
    error: HieraError | None = None


class Worker:
    """Runs a task; called by one process, one call at a time.

    Args:
        task: what is to be done.
        num_cores: how many cores of this machine are its own.
    """

    def __init__(self, task: Task, num_cores: int) -> None:
        self._task = task
        self._num_cores = num_cores
        self._changed = threading.Condition()
        self._files: deque[InputPath] = deque()
        self._is_last = False
        self._events: list[Event | Done] = []
        self._held_bytes = 0
        self._error: HieraError | None = None

    def open(self) -> Description:
        """Load the model and start the engine; never raises what is no bug."""
        try:
            job = self._task.open(self._num_cores)
        except HieraError as error:
            return Description(error=error)
        threading.Thread(target=self._work, args=(job,), daemon=True).start()
        return Description(job.columns, job.settings)

    def step(self, files: Sequence[InputPath], *, is_last: bool, num_enough: int) -> Report:
        """Take files and give results, a few together; sooner where more files are needed.

        Args:
            files: more videos.
            is_last: no more are known, so results must not wait for a batch to fill.
            num_enough: answer when half as many files are waiting, unless these are the last.
        """
        with self._changed:
            self._files.extend(files)
            self._is_last = is_last
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._is_urgent(num_enough), GATHER_SECONDS)
            self._changed.wait_for(lambda: self._has_news(num_enough), STEP_SECONDS)
            events, self._events, self._held_bytes = self._events, [], 0
            self._changed.notify_all()
            return Report(events, len(self._files), self._error)

    def _is_urgent(self, num_enough: int) -> bool:
        is_hungry = not self._is_last and 2 * len(self._files) < num_enough
        is_full = 2 * self._held_bytes > MAX_HELD_BYTES
        return is_hungry or is_full or self._error is not None

    def _has_news(self, num_enough: int) -> bool:
        return bool(self._events) or self._is_urgent(num_enough)

    def _work(self, job: Job) -> None:
        """Run the engine over the files that come; again when it had to stop for want of them."""
        writer = RelayWriter(job.columns, self._send)
        try:
            while True:
                self._wait_for_files()
                for record in job.write(self._take_files(), writer):
                    self._send(Done(record))
        except HieraError as error:
            self._stop(error)
        except Exception as error:  # noqa: BLE001 - whoever waits for the results must hear of it
            self._stop(HieraError(f"internal error on a worker: {type(error).__name__}: {error}"))

    def _stop(self, error: HieraError) -> None:
        with self._changed:
            self._error = error
            self._changed.notify_all()

    def _wait_for_files(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._files)

    def _take_files(self) -> Iterator[InputPath]:
        """Files as they come; ends when there are none and no more are known."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._files or self._is_last)
                if not self._files:
                    return
                file = self._files.popleft()
                self._changed.notify_all()
            yield file

    def _send(self, event: Event | Done) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._held_bytes < MAX_HELD_BYTES)
            self._events.append(event)
            self._held_bytes += len(event.content) if isinstance(event, Block) else RECORD_BYTES
            self._changed.notify_all()
