"""Rows of a table: what is to be measured, and what came of it.

A suite is a list of `RowPlan`s. `measure_rows` carries them out one after the other; what a plan's
function raises becomes the reason of a failed row, and nothing that it does stops the next.
"""

import gc
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import torch

from hiera_cli.errors import HieraError

logger = logging.getLogger("hiera_cli")

Figure = float | int | str | None
RowState = Literal["done", "failed", "skipped"]
LONGEST_REASON = 300  # characters: an error of a compiler fills pages


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table.

    Attributes:
        section: the table that it belongs to; its rows have the same figures.
        name: what was measured, unique in its section.
        state: `done`, `failed` or `skipped`.
        figures: column to number, of a row that is done.
        reason: why there are none.
        seconds: how long measuring took.
    """

    section: str
    name: str
    state: RowState
    figures: Mapping[str, Figure] = field(default_factory=dict)
    reason: str = ""
    seconds: float = 0.0

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from the others of its suite."""
        return self.section, self.name


@dataclass(frozen=True, eq=False, slots=True)
class RowPlan:
    """One line of a table that is to be measured.

    Attributes:
        section, name: as of the row.
        measure: gives a dataclass whose fields are the row's figures; may raise anything.
        obstacle: why it cannot be measured here, such as a package that is missing; else empty.
        expected_seconds: about how long it takes; it is not begun with less time left.
    """

    section: str
    name: str
    measure: Callable[[], Any]
    obstacle: str = ""
    expected_seconds: float = 0.0


def measure_rows(
    plans: Iterable[RowPlan],
    *,
    budget_seconds: float,
    done: Mapping[tuple[str, str], Row],
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Row]:
    """Carry plans out in order, each in memory that the others gave back.

    Args:
        plans: the rows to be measured.
        budget_seconds: no row begins that would end later.
        done: rows that were measured before, by key; they are yielded as they are.
        clock: seconds of a clock that only goes forward.

    Yields:
        A `Row` for every plan.
    """
    begun = clock()
    for plan in plans:
        left = budget_seconds - (clock() - begun)
        if plan.obstacle:
            yield Row(plan.section, plan.name, "skipped", reason=plan.obstacle)
        elif (plan.section, plan.name) in done:
            yield done[plan.section, plan.name]
        elif left <= plan.expected_seconds:
            reason = f"{max(left, 0):.0f} s of the time budget were left"
            yield Row(plan.section, plan.name, "skipped", reason=reason)
        else:
            logger.info("measuring %s: %s", plan.section, plan.name)
            yield _measure(plan, clock)
            _give_back()


def _measure(plan: RowPlan, clock: Callable[[], float]) -> Row:
    start = clock()
    try:
        figures = asdict(plan.measure())
    except Exception as error:
        logger.debug("%s: %s failed", plan.section, plan.name, exc_info=True)
        reason = _in_words(error)
        return Row(plan.section, plan.name, "failed", reason=reason, seconds=clock() - start)
    return Row(plan.section, plan.name, "done", figures, seconds=clock() - start)


def _in_words(error: Exception) -> str:
    """What went wrong, in one line."""
    if isinstance(error, torch.OutOfMemoryError):
        return "out of memory"
    if isinstance(error, HieraError):
        return error.message
    first = next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}: {first}"[:LONGEST_REASON].removesuffix(": ")


def _give_back() -> None:
    """Free what a row held, compiled programs and CUDA graphs included."""
    torch.compiler.reset()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
