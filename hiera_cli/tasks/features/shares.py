"""Which of the inputs this process works on: `--shard I/N`, job arrays, ranks."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from hiera_cli.errors import UsageError

Item = TypeVar("Item")
_FORM = "I/N with 0 <= I < N, as 0/4 (counting from 1 to 4/4 works too), or auto"


@dataclass(frozen=True, slots=True)
class Share:
    """Every `num_shares`-th item, beginning with number `index`."""

    index: int
    num_shares: int

    def of(self, items: Sequence[Item]) -> Sequence[Item]:
        """The items of the share."""
        return items[self.index :: self.num_shares]


def parse_share(text: str | None, environment: Mapping[str, str] | None = None) -> Share | None:
    """The share that a `--shard` value means; None for all of the inputs.

    `N/N` is `0/N`, so that arrays that count from 1 cover the inputs as well.

    Args:
        text: `I/N`, `auto`, or None.
        environment: where `auto` looks; the process's own if None.

    Raises:
        UsageError: neither of these, or `auto` outside of a job array or torchrun.
    """
    if text is None:
        return None
    if text == "auto":
        return _from_environment(os.environ if environment is None else environment)
    index, slash, num_shares = text.partition("/")
    if not (slash and index.isdecimal() and num_shares.isdecimal()):
        raise UsageError(f"--shard is '{text}'", hint=f"use {_FORM}")
    return _share(int(index), int(num_shares))


def _from_environment(environment: Mapping[str, str]) -> Share:
    """Slurm's array task, else torchrun's rank, else the task of an srun step."""
    try:
        if "SLURM_ARRAY_TASK_ID" in environment:
            first = int(environment["SLURM_ARRAY_TASK_MIN"])
            step = int(environment.get("SLURM_ARRAY_TASK_STEP", 1))
            index = (int(environment["SLURM_ARRAY_TASK_ID"]) - first) // step
            return _share(index, int(environment["SLURM_ARRAY_TASK_COUNT"]))
        if "RANK" not in environment and int(environment.get("SLURM_STEP_NUM_TASKS", 1)) > 1:
            # only srun states this; a batch script has SLURM_PROCID, too, and runs once
            num_tasks = int(environment["SLURM_STEP_NUM_TASKS"])
            return _share(int(environment["SLURM_PROCID"]), num_tasks)
        return _share(int(environment["RANK"]), int(environment["WORLD_SIZE"]))
    except (KeyError, ValueError) as error:
        raise UsageError(
            f"--shard auto found no job array and no rank ({error} is missing or no number)",
            hint="start it with sbatch --array, srun or torchrun, or name the share: --shard 0/4",
        ) from error


def _share(index: int, num_shares: int) -> Share:
    if not 0 <= index <= num_shares or num_shares < 1:
        raise UsageError(f"--shard {index}/{num_shares} is no share", hint=f"use {_FORM}")
    return Share(index % num_shares, num_shares)
