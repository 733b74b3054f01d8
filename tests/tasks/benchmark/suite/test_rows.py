from dataclasses import dataclass

import pytest
import torch

from hiera_cli.errors import UsageError
from hiera_cli.tasks.benchmark.suite.rows import Row, RowPlan, measure_rows


@dataclass(frozen=True)
class Figures:
    clips_per_second: float


class Clock:
    """Seconds that pass only when somebody works."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def plan(name: str, clock: Clock, seconds: float, **changes) -> RowPlan:
    def work() -> Figures:
        clock.now += seconds
        return Figures(1 / seconds)

    return RowPlan("Speed", name, work, **changes)


def failing(name: str, error: Exception) -> RowPlan:
    def fail() -> Figures:
        raise error

    return RowPlan("Speed", name, fail)


def test_no_row_begins_that_would_end_after_the_budget() -> None:
    clock = Clock()
    plans = [
        plan("a", clock, 4.0),
        plan("long", clock, 10.0, expected_seconds=7.0),
        plan("short", clock, 5.0, expected_seconds=2.0),
        plan("late", clock, 1.0),
    ]
    rows = list(measure_rows(plans, budget_seconds=9.0, done={}, clock=clock))
    assert [(row.name, row.state, row.seconds) for row in rows] == [
        ("a", "done", 4.0),
        ("long", "skipped", 0.0),
        ("short", "done", 5.0),
        ("late", "skipped", 0.0),
    ]
    assert rows[1].reason == "5 s of the time budget were left"
    assert rows[0].figures == {"clips_per_second": 0.25}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"), "out of memory"),
        (UsageError("no batch fits"), "no batch fits"),
        (RuntimeError("first line\nand 500 more"), "RuntimeError: first line"),
        (NotImplementedError(), "NotImplementedError"),
    ],
)
def test_a_row_that_fails_says_why_and_the_next_is_measured(error, reason) -> None:
    clock = Clock()
    plans = [failing("bad", error), plan("good", clock, 1.0)]
    bad, good = measure_rows(plans, budget_seconds=9.0, done={}, clock=clock)
    assert (bad.state, bad.reason, bad.figures) == ("failed", reason, {})
    assert good.state == "done"


def test_what_cannot_be_measured_here_or_was_measured_before_costs_nothing() -> None:
    clock = Clock()
    before = Row("Speed", "known", "done", {"clips_per_second": 7.0})
    plans = [
        plan("known", clock, 1.0),
        plan("peer", clock, 1.0, obstacle="hiera-optim is not installed"),
    ]
    known, peer = measure_rows(plans, budget_seconds=9.0, done={before.key: before}, clock=clock)
    assert known is before
    assert (peer.state, peer.reason) == ("skipped", "hiera-optim is not installed")
    assert clock.now == 0.0
