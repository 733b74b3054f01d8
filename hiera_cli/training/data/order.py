"""Which videos make up each optimizer step: a pure function of the seed and the step.

The training list is read as an endless stream of passes, each a fresh shuffle. Step s takes the
next `videos_per_step` videos of the stream, so that a run can continue at any step, and any
number of processes sees the same batches.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hiera_cli.errors import UsageError


class Draw(NamedTuple):
    """One visit of one video: all that its random choices depend on, besides the seed."""

    pass_index: int
    sample_index: int


@dataclass(frozen=True, slots=True)
class Order:
    """The batches of a run.

    Attributes:
        num_samples: videos in the training list.
        batch_size: clips in an optimizer step, over all processes and parts.
        repeats: clips taken from a video at each visit.
        num_parts: parts that a process works through before the optimizer steps (accumulation).
        rank, world_size: this process among all.
        seed: of the shuffles.
    """

    num_samples: int
    batch_size: int
    repeats: int = 1
    num_parts: int = 1
    rank: int = 0
    world_size: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse batches that do not divide into whole visits for every process and part."""
        shares = self.repeats * self.num_parts * self.world_size
        if self.batch_size % shares:
            raise UsageError(
                f"a batch of {self.batch_size} clips does not divide into {self.world_size} "
                f"processes × {self.num_parts} parts × {self.repeats} clips a video",
                hint=f"use a --batch-size that {shares} divides",
            )

    @property
    def videos_per_part(self) -> int:
        """Videos that one process decodes for one part of a step."""
        return self.batch_size // (self.repeats * self.num_parts * self.world_size)

    @property
    def steps_per_epoch(self) -> int:
        """Steps until as many clips were seen as there are videos."""
        return ceil(self.num_samples / self.batch_size)

    def parts(self, first_step: int, end_step: int) -> Iterator[list[Draw]]:
        """What this process visits, part by part, from `first_step` on."""
        for step in range(first_step, end_step):
            for part in range(self.num_parts):
                yield self.part(step, part)

    def part(self, step: int, part: int) -> list[Draw]:
        """The visits of this process in one part of a step."""
        size = self.videos_per_part
        begin = ((step * self.num_parts + part) * self.world_size + self.rank) * size
        return [self._visit(position) for position in range(begin, begin + size)]

    def _visit(self, position: int) -> Draw:
        pass_index, place = divmod(position, self.num_samples)
        shuffled = _shuffle(self.seed, pass_index, self.num_samples)
        return Draw(pass_index, int(shuffled[place]))


@lru_cache(maxsize=4)
def _shuffle(seed: int, pass_index: int, num_samples: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng([seed, pass_index]).permutation(num_samples)


def visit_rng(seed: int, draw: Draw, repeat: int) -> np.random.Generator:
    """The generator of everything random about one clip."""
    return np.random.default_rng([seed, draw.pass_index, draw.sample_index, repeat])
