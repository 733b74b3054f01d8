"""Reading ahead: order, bounds, and whose threads are whose."""

import threading
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager

import pytest
import torch

from hiera_cli.ahead import LANE_ITEMS, read_ahead


class Letters:
    """A reader that says which letter of which word it is at."""

    def __init__(self) -> None:
        self.num_read = 0
        self.num_open = 0
        self.torch_threads: set[int] = set()

    @contextmanager
    def open(self) -> Iterator:
        self.num_open += 1
        yield self.read
        self.num_open -= 1

    def read(self, index: int, word: str) -> Generator[str, None, None]:
        self.torch_threads.add(torch.get_num_threads())
        for letter in word:
            self.num_read += 1
            yield f"{index}{letter}"


@pytest.mark.parametrize("workers", [1, 3])
def test_items_come_in_the_order_of_their_sources(workers) -> None:
    words = ["abc", "", "defghijkl", "m"] * 5
    expected = [f"{index}{letter}" for index, word in enumerate(words) for letter in word]
    assert list(read_ahead(words, Letters().open, workers=workers)) == expected


def test_a_long_source_is_not_read_further_ahead_than_its_lane_holds() -> None:
    letters = Letters()
    with closing(read_ahead(["x" * 1000], letters.open, workers=1)) as items:
        for _ in range(10):
            next(items)
        assert letters.num_read <= 10 + LANE_ITEMS + 1


def test_readers_are_closed_when_nobody_wants_more() -> None:
    letters = Letters()
    before = set(threading.enumerate())
    with closing(read_ahead(["x" * 1000] * 9, letters.open, workers=2)) as items:
        next(items)
        started = set(threading.enumerate()) - before
        assert len(started) == 2
    for thread in started:
        thread.join(timeout=5)
        assert not thread.is_alive()
    assert letters.num_open == 0


def test_readers_compute_on_one_thread_and_the_rest_of_the_process_as_before() -> None:
    before, letters = torch.get_num_threads(), Letters()
    torch.set_num_threads(3)
    try:
        list(read_ahead(["ab", "cd"], letters.open, workers=2))
        later: list[int] = []
        thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
        thread.start()
        thread.join()
        assert letters.torch_threads == {1}
        assert torch.get_num_threads() == 3
        assert later == [3]
    finally:
        torch.set_num_threads(before)
