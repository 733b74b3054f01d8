"""Reading ahead: several sources at once in background threads, their items in source order.

Each source has a bounded lane, and there are few lanes, so that memory does not depend on how
many sources there are, how long they are, or how slowly the items are taken.
"""

import queue
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from typing import Generic, Protocol, TypeVar

LANE_ITEMS = 4
POLL_SECONDS = 0.1
JOIN_SECONDS = 5.0

Source = TypeVar("Source")
Item = TypeVar("Item")
Source_contra = TypeVar("Source_contra", contravariant=True)
Item_co = TypeVar("Item_co", covariant=True)


class Reader(Protocol[Source_contra, Item_co]):
    """Reads one source after the other, in one thread."""

    def read(self, source: Source_contra) -> Generator[Item_co, None, None]:
        """The items of a source; never raises."""

    def stop(self) -> None:
        """From another thread: end what is being read, soon."""

    def close(self) -> None:
        """Free what the reader holds."""


def prefetch(
    sources: Iterable[Source], readers: Sequence[Reader[Source, Item]]
) -> Generator[Item, None, None]:
    """The items of all sources in order, read by as many threads as there are readers."""
    with closing(_Threads(readers)) as threads:
        lanes: deque[_Lane[Item]] = deque()
        for source in sources:
            lanes.append(threads.start(source))
            if len(lanes) > len(readers):
                yield from lanes.popleft()
        while lanes:
            yield from lanes.popleft()


class _End:
    """The end of a lane."""


class _Lane(Generic[Item]):
    """A bounded queue for the items of one source."""

    def __init__(self, stopped: threading.Event) -> None:
        self._items: queue.Queue[Item | _End] = queue.Queue(LANE_ITEMS)
        self._stopped = stopped

    def put(self, item: Item | _End) -> bool:
        """Wait for room; False when nobody reads any more."""
        while not self._stopped.is_set():
            try:
                self._items.put(item, timeout=POLL_SECONDS)
            except queue.Full:
                continue
            return True
        return False

    def __iter__(self) -> Iterator[Item]:
        while not isinstance(item := self._items.get(), _End):
            yield item


class _Threads(Generic[Source, Item]):
    """A thread for each reader; they take the sources in order."""

    def __init__(self, readers: Sequence[Reader[Source, Item]]) -> None:
        self._readers = readers
        self._jobs: queue.SimpleQueue[tuple[Source, _Lane[Item]] | None] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, args=(reader,), daemon=True) for reader in readers
        ]
        for thread in self._threads:
            thread.start()

    def start(self, source: Source) -> _Lane[Item]:
        """The lane in which the items of a source will come."""
        lane = _Lane[Item](self._stopped)
        self._jobs.put((source, lane))
        return lane

    def close(self) -> None:
        """Stop reading and wait for it.

        Python aborts when it exits while a thread is in native code, so threads are not left
        behind, except one that FFmpeg holds for longer than `JOIN_SECONDS`.
        """
        self._stopped.set()
        for reader in self._readers:
            reader.stop()
            self._jobs.put(None)
        for thread in self._threads:
            thread.join(JOIN_SECONDS)

    def _work(self, reader: Reader[Source, Item]) -> None:
        with closing(reader):
            while (job := self._jobs.get()) is not None:
                source, lane = job
                with closing(reader.read(source)) as items:
                    complete = all(lane.put(item) for item in items)
                if not complete or not lane.put(_End()):
                    return
