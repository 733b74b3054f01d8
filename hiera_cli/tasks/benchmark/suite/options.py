"""What a suite can be told; plain values, no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hiera_cli.options import check_at_least, check_choices, check_device

SuiteName = Literal["gpu", "decode"]


@dataclass(frozen=True, kw_only=True)
class SuiteOptions:
    """Which table is measured, and how.

    Attributes:
        suite: its name.
        inputs: videos to read; without any, some are made up.
        model: zoo name or model folder, where the suite is about one model.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        out: JSON file, written after every row and gone on with; None: none is kept.
        tiny: networks and numbers so small that the whole table takes seconds: to see that every
            row works here, not how fast it is.
        budget_seconds: no row begins that would end later.
        rounds: timed calls of everything.
    """

    suite: SuiteName = "gpu"
    inputs: tuple[str, ...] = ()
    model: str = "camera-motion"
    device: str = "auto"
    out: Path | None = None
    tiny: bool = False
    budget_seconds: float = 460.0
    rounds: int = 5

    def __post_init__(self) -> None:
        """Refuse values that cannot mean anything.

        Raises:
            UsageError: a value that is no choice or out of range.
        """
        check_choices(self)
        check_device(self.device)
        check_at_least(1, rounds=self.rounds)
        check_at_least(0, budget_seconds=self.budget_seconds)
