"""Items come in source order, few are held, and no thread is left behind."""

import threading
import time
from collections.abc import Generator
from contextlib import closing

import pytest

from hiera_cli.inference.prefetch import LANE_ITEMS, prefetch


class Counter:
    """Gives `source` items for every source, some sources slower than others."""

    def __init__(self, pause_seconds: float = 0.0) -> None:
        self.pause_seconds = pause_seconds
        self.num_given = 0
        self.stopped = threading.Event()
        self.closed = False

    def read(self, source: int) -> Generator[tuple[int, int], None, None]:
        for index in range(source):
            self.stopped.wait(self.pause_seconds * (source % 3))
            self.num_given += 1
            yield source, index

    def stop(self) -> None:
        self.stopped.set()

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("num_readers", [1, 2, 5])
def test_items_come_in_the_order_of_the_sources(num_readers: int) -> None:
    readers = [Counter(0.001) for _ in range(num_readers)]
    sources = [0, 7, 1, 3, 12, 0, 2, 5]
    items = list(prefetch(sources, readers))
    assert items == [(source, index) for source in sources for index in range(source)]
    assert all(reader.closed for reader in readers)


def test_what_is_not_taken_is_not_read() -> None:
    reader = Counter()
    with closing(prefetch([1000, 1000], [reader])) as items:
        assert next(items) == (1000, 0)
        time.sleep(0.2)
        assert reader.num_given <= LANE_ITEMS + 2


def test_leaving_early_stops_the_readers_and_ends_the_threads() -> None:
    before = threading.active_count()
    readers = [Counter(100.0), Counter(100.0)]  # each item takes minutes unless it is stopped
    items = prefetch([3, 1, 1], readers)
    taken: list[tuple[int, int]] = []
    thread = threading.Thread(target=lambda: taken.append(next(items)))
    thread.start()
    thread.join(1.0)
    assert taken == [(3, 0)]
    began = time.monotonic()
    items.close()
    assert time.monotonic() - began < 4
    assert threading.active_count() == before
    assert all(reader.closed for reader in readers)
