"""Running a suite: its rows in order, kept in a file after each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from hiera_cli.errors import UsageError
from hiera_cli.model.device import choose_device
from hiera_cli.tasks.benchmark.suite.decode import decode_rows
from hiera_cli.tasks.benchmark.suite.document import (
    Conditions,
    Document,
    read_document,
    write_document,
)
from hiera_cli.tasks.benchmark.suite.gpu import gpu_rows
from hiera_cli.tasks.benchmark.suite.options import SuiteName, SuiteOptions
from hiera_cli.tasks.benchmark.suite.rows import Row, RowPlan, measure_rows

Planner = Callable[[SuiteOptions, torch.device], Sequence[RowPlan]]
PLANNERS: Mapping[SuiteName, Planner] = {"gpu": gpu_rows, "decode": decode_rows}


@dataclass(frozen=True, eq=False, slots=True)
class Suite:
    """A table that is ready to be measured.

    Attributes:
        conditions: where and with what.
        plans: its rows.
    """

    conditions: Conditions
    plans: Sequence[RowPlan]


def plan_suite(options: SuiteOptions) -> Suite:
    """The table that the options name, on this machine.

    Raises:
        UsageError: a device that is not here.
    """
    device = choose_device(options.device)
    conditions = Conditions.here(options.suite, device, tiny=options.tiny)
    return Suite(conditions, PLANNERS[options.suite](options, device))


def run_suite(suite: Suite, options: SuiteOptions) -> Iterator[Row]:
    """Measure what is not measured yet.

    Args:
        suite: of `plan_suite`.
        options: the file to keep rows in and to go on with, and the time budget.

    Yields:
        A `Row` for every plan, in order: those that the file holds already as they are; what
        failed or was skipped there is tried again.

    Raises:
        UsageError: the file holds a table of other conditions.
        OutputError: the file cannot be written.
    """
    done = _rows_done(suite.conditions, options)
    rows: list[Row] = []
    for row in measure_rows(suite.plans, budget_seconds=options.budget_seconds, done=done):
        rows.append(row)
        if options.out is not None:
            later = tuple(done[p.section, p.name] for p in suite.plans[len(rows) :] if _in(done, p))
            write_document(options.out, Document(suite.conditions, (*rows, *later)))
        yield row


def _rows_done(conditions: Conditions, options: SuiteOptions) -> dict[tuple[str, str], Row]:
    """The rows that an earlier run measured."""
    before = read_document(options.out) if options.out is not None else None
    if before is None:
        return {}
    if before.conditions != conditions:
        raise UsageError(
            f"'{options.out}' was measured elsewhere or otherwise: {before.conditions.device}, "
            f"{', '.join(before.conditions.versions)}",
            hint="name another --out, or delete it",
        )
    return {row.key: row for row in before.rows if row.state == "done"}


def _in(done: Mapping[tuple[str, str], Row], plan: RowPlan) -> bool:
    return (plan.section, plan.name) in done
