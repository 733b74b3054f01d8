"""Whose threads are whose."""

import threading
from contextlib import suppress

import torch

from hiera_cli.inference.threads import compute_alone, computing_threads


def seen_by_a_thread(*, alone: bool) -> int:
    seen: list[int] = []

    def look() -> None:
        if alone:
            compute_alone()
        seen.append(torch.get_num_threads())

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    return seen[0]


def test_one_thread_computes_alone_and_all_others_as_before() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        assert seen_by_a_thread(alone=True) == 1
        assert torch.get_num_threads() == 3
        assert seen_by_a_thread(alone=False) == 3
    finally:
        torch.set_num_threads(before)


def test_a_block_has_its_threads_and_gives_them_back_when_it_fails() -> None:
    before = torch.get_num_threads()
    with computing_threads(before + 2):
        assert torch.get_num_threads() == before + 2
    with suppress(KeyError), computing_threads(before + 1):
        raise KeyError
    assert torch.get_num_threads() == before
