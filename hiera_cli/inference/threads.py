"""How many threads compute: PyTorch's teams."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def compute_alone() -> None:
    """Let PyTorch use a single thread for what the calling thread computes.

    Otherwise each thread that computes has a team of one thread a core, and the teams of decoding
    threads fight with the model's. PyTorch keeps the number by thread, but each call also sets
    what threads to come start with; that is put back from a thread that ends at once.
    """
    num = torch.get_num_threads()
    if num > 1:
        torch.set_num_threads(1)
        keeper = threading.Thread(target=torch.set_num_threads, args=(num,))
        keeper.start()
        keeper.join()


@contextmanager
def computing_threads(num: int) -> Iterator[None]:
    """Let PyTorch use that many threads in the calling thread, for as long as the block lasts."""
    before = torch.get_num_threads()
    if num == before:
        yield
        return
    torch.set_num_threads(num)
    try:
        yield
    finally:
        torch.set_num_threads(before)
