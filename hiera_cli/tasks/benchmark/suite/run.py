"""Running a suite: its rows in order, kept in a file after each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from hiera_cli.errors import NoInputError, UsageError
from hiera_cli.inputs import expand_inputs
from hiera_cli.model.device import choose_device
from hiera_cli.tasks.benchmark.suite.decode import decode_rows
from hiera_cli.tasks.benchmark.suite.document import (
    Conditions,
    Document,
    read_document,
    write_document,
)
from hiera_cli.tasks.benchmark.suite.gpu import gpu_rows
from hiera_cli.tasks.benchmark.suite.options import SuiteOptions
from hiera_cli.tasks.benchmark.suite.rows import Row, RowPlan, measure_rows
from hiera_cli.tasks.benchmark.suite.subject import subject_of


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
        UsageError: a device that is not here, or inputs that cannot be listed.
        NoInputError: inputs without a video.
    """
    device = choose_device(options.device)
    if options.suite == "gpu":  # its networks are random, and its videos made up
        conditions = Conditions.here("gpu", device, tiny=options.tiny)
        return Suite(conditions, gpu_rows(options, device))
    files = list(expand_inputs(options.inputs))
    if options.inputs and not files:
        raise NoInputError("none of the inputs is a video")
    subject = subject_of(options.model, files)
    conditions = Conditions.here("decode", device, tiny=options.tiny, subject=subject)
    return Suite(conditions, decode_rows(options, device, files))


def run_suite(suite: Suite, options: SuiteOptions) -> Iterator[Row]:
    """Measure what is not measured yet.

    Args:
        suite: of `plan_suite`.
        options: the file to keep rows in and to go on with, and the time budget.

    Yields:
        A `Row` for every plan, in order: those that the file holds already as they are; what
        failed or was skipped there is tried again.

    Raises:
        UsageError: the file holds a table of other conditions, another model or other videos.
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
    there, hint = before.conditions, "name another --out, or delete it"
    if replace(there, subject=conditions.subject) != conditions:
        raise UsageError(
            f"'{options.out}' was measured elsewhere or otherwise: {there.device}, "
            f"{', '.join(there.versions)}",
            hint=hint,
        )
    if there != conditions:
        raise UsageError(
            f"'{options.out}' is about another model, or about videos that are not these or "
            f"changed: {there.subject or 'not known which'}; these are {conditions.subject}",
            hint=hint,
        )
    return {row.key: row for row in before.rows if row.state == "done"}


def _in(done: Mapping[tuple[str, str], Row], plan: RowPlan) -> bool:
    return (plan.section, plan.name) in done
