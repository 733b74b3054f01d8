"""Reading ahead: background threads work on sources, their items are taken in source order."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, closing
from typing import Generic, TypeVar

import torch

LANE_ITEMS = 4
POLL_SECONDS = 0.1

Source = TypeVar("Source")
Item = TypeVar("Item")
Read = Callable[[int, Source], Generator[Item, None, None]]
"""Position of a source and the source -> its items; must not raise."""


def read_ahead(
    sources: Iterable[Source],
    open_reader: Callable[[], AbstractContextManager[Read[Source, Item]]],
    *,
    workers: int,
) -> Generator[Item, None, None]:
    """Items of all sources in order, read by `workers` threads.

    Memory is bounded: a source that is ahead of its turn waits once a few items are ready.

    Args:
        sources: taken one by one, no faster than they are worked on.
        open_reader: called once in each thread.
        workers: threads.
    """
    jobs: _Jobs[Source, Item] = queue.SimpleQueue()
    stop = threading.Event()
    _start_threads(workers, lambda: _work(jobs, open_reader))
    lanes: deque[_Lane[Item]] = deque()
    try:
        for index, source in enumerate(sources):
            lanes.append(_Lane(stop))
            jobs.put((index, source, lanes[-1]))
            if len(lanes) > workers:
                yield from lanes.popleft()
        while lanes:
            yield from lanes.popleft()
    finally:
        stop.set()
        for _ in range(workers):
            jobs.put(None)


def _start_threads(num: int, work: Callable[[], None]) -> None:
    """Run `work` in so many background threads, none of which has threads of its own.

    PyTorch would give each of them a team of one thread a core, and the teams would fight with
    the model's. It keeps the number by thread; but each call also sets what threads to come
    start with, so that the caller's number is put back at the end.
    """
    num_threads = torch.get_num_threads()
    ready = threading.Semaphore(0)

    def run() -> None:
        torch.get_num_threads()  # a thread takes the default on its first call: let that be over
        torch.set_num_threads(1)
        ready.release()
        work()

    for _ in range(num):
        threading.Thread(target=run, daemon=True).start()
    for _ in range(num):
        ready.acquire()
    torch.set_num_threads(num_threads)


class _End:
    """Marks the end of a source in its lane."""


class _Lane(Generic[Item]):
    """A bounded queue for the items of one source; iterating ends after its last one."""

    def __init__(self, stop: threading.Event) -> None:
        self._items: queue.Queue[Item | _End] = queue.Queue(LANE_ITEMS)
        self._stop = stop

    def put(self, item: Item | _End) -> bool:
        """Wait for room; False when nobody reads any more."""
        while not self._stop.is_set():
            try:
                self._items.put(item, timeout=POLL_SECONDS)
            except queue.Full:
                continue
            return True
        return False

    def __iter__(self) -> Iterator[Item]:
        while not isinstance(item := self._items.get(), _End):
            yield item


_Jobs = queue.SimpleQueue[tuple[int, Source, _Lane[Item]] | None]


def _work(
    jobs: "_Jobs[Source, Item]",
    open_reader: Callable[[], AbstractContextManager[Read[Source, Item]]],
) -> None:
    """Read one source after the other until told to stop."""
    with open_reader() as read:
        while (job := jobs.get()) is not None:
            index, source, lane = job
            with closing(read(index, source)) as items:
                if not all(lane.put(item) for item in items) or not lane.put(_End()):
                    return
