"""Several processes that train one model together, as started by torchrun."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from hiera_cli.model.device import choose_device

T = TypeVar("T")
_CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Process:
    """One process among all that train.

    Attributes:
        rank: its number; 0 writes the files.
        world_size: how many there are.
        local_rank: its number on this machine, which is also its GPU.
        device: where its model is.
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    device: torch.device = _CPU

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and speaks to the user."""
        return self.rank == 0


def this_process() -> Process:
    """What torchrun says about this process; alone when it was started without."""
    return Process(
        rank=int(os.environ.get("RANK", "0")),
        world_size=int(os.environ.get("WORLD_SIZE", "1")),
        local_rank=int(os.environ.get("LOCAL_RANK", "0")),
    )


@contextmanager
def joined_process(device: str) -> Iterator[Process]:
    """Join this process to the others for the time of a run: by NCCL between GPUs, else gloo.

    Args:
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`; `cuda` gives each process its own GPU.

    Raises:
        UsageError: the device is not on this machine.
    """
    alone = this_process()
    process = replace(alone, device=_find_device(device, alone.local_rank))
    if process.world_size == 1 or dist.is_initialized():
        yield process
        return
    dist.init_process_group("nccl" if process.device.type == "cuda" else "gloo")
    try:
        yield process
    finally:
        dist.destroy_process_group()


def _find_device(name: str, local_rank: int) -> torch.device:
    """The device of this process: of several GPUs, the one with its local rank."""
    device = choose_device(name)
    if device.type == "cuda":
        if ":" not in name:
            device = choose_device(f"cuda:{local_rank}")
        torch.cuda.set_device(device)
    return device


def sum_over_processes(values: Tensor) -> Tensor:
    """The sum of a tensor over all processes."""
    if dist.is_initialized():
        dist.all_reduce(values)
    return values


def gather_objects(value: T) -> list[T]:
    """The value of each process, in the order of their ranks."""
    if not dist.is_initialized():
        return [value]
    gathered: list[T] = [value] * dist.get_world_size()
    dist.all_gather_object(gathered, value)
    return gathered


def wait_for_all() -> None:
    """Return when all processes have come this far."""
    if dist.is_initialized():
        dist.barrier()
