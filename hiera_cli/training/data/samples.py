"""What the training loop asks of its data, whatever that is: samples by draw, batches of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import torch

from hiera_cli.errors import Failure
from hiera_cli.training.data.order import Draw


class Batch(Protocol):
    """Samples of one part of a step; the length is how many there are, without failures."""

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Files that could not be read."""

    def __len__(self) -> int:
        """Number of samples."""

    def to(self, device: torch.device) -> Self:
        """The batch on the device."""


class Samples(Protocol):
    """What a run learns from; what is drawn depends on the seed and the visit only."""

    @property
    def unit(self) -> str:
        """What is counted: `videos`, for example."""

    def __getitem__(self, draw: Draw) -> Any:
        """One visit of one file: what `collate` takes."""

    def collate(self, visits: Sequence[Any]) -> Batch:
        """The visits of one part of a step as a batch."""

    def blank(self) -> Batch:
        """One sample that is worth no gradient, for a process none of whose files can be read."""

    def close(self) -> None:
        """End what reads the files."""


class Sample(Protocol):
    """One thing to learn from."""

    def to(self, device: torch.device) -> Self:
        """The sample on the device."""


@dataclass(frozen=True, eq=False, slots=True)
class SampleBatch:
    """Samples that differ in shape, side by side."""

    samples: tuple[Any, ...]
    failures: tuple[Failure, ...] = ()

    @classmethod
    def of(cls, visits: Sequence[Sample | Failure]) -> Self:
        """The samples and the failures among visits."""
        failures = tuple(visit for visit in visits if isinstance(visit, Failure))
        return cls(tuple(v for v in visits if not isinstance(v, Failure)), failures)

    def __len__(self) -> int:
        return len(self.samples)

    def to(self, device: torch.device) -> Self:
        """The batch with its samples on the device."""
        return replace(self, samples=tuple(sample.to(device) for sample in self.samples))
