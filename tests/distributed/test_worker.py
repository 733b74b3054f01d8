"""An actor's side: results come as they are made, and bounded."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from hiera_cli.distributed import worker
from hiera_cli.distributed.worker import Done, Report, Worker
from hiera_cli.errors import UsageError
from hiera_cli.inputs import InputPath
from hiera_cli.tables import Column, RowWriter
from hiera_cli.tables.rows import Block, Commit
from tests.distributed.cluster import SETTINGS, CountJob, CountTask

WIDE = (Column("path", "string"), Column("values", "float32", 2**18))


def paths(*names: str) -> list[InputPath]:
    return [InputPath(name, name) for name in names]


def steps(one: Worker, *names: str, num_wanted: int) -> list[object]:
    """Events of as many steps as it takes to get so many records."""
    files, events = paths(*names), []
    while sum(isinstance(event, Done) for event in events) < num_wanted:
        events += one.step(files, is_last=True, num_enough=1).events
        files = []
    return events


def test_events_in_order() -> None:
    one = Worker(CountTask(), 1)
    assert one.open().settings == SETTINGS
    events = steps(one, "a", "b", num_wanted=2)

    kinds = [type(event).__name__ for event in events]
    assert kinds == ["Block", "Commit", "Done"] * 2
    assert [event.key for event in events if isinstance(event, Commit)] == ["a", "b"]


def test_a_worker_begins_again_after_its_last_file() -> None:
    one = Worker(CountTask(), 1)
    one.open()
    assert Done("a") in steps(one, "a", num_wanted=1)
    assert Done("b") in steps(one, "b", num_wanted=1)


def test_a_hungry_worker_answers_at_once() -> None:
    one = Worker(CountTask(), 1)
    one.open()
    assert one.step([], is_last=False, num_enough=1) == Report([], 0)


def test_an_answer_gathers_what_is_done(monkeypatch) -> None:
    monkeypatch.setattr(worker, "GATHER_SECONDS", 1.0)
    one = Worker(CountTask(), 1)
    one.open()
    events = one.step(paths("a", "b", "c"), is_last=True, num_enough=1).events
    assert [event.record for event in events if isinstance(event, Done)] == ["a", "b", "c"]


def test_what_cannot_be_opened_is_told() -> None:
    @dataclass(frozen=True)
    class Broken:
        def open(self, num_cores: int) -> CountJob:
            raise UsageError("no such model")

    error = Worker(Broken(), 1).open().error
    assert isinstance(error, UsageError)


def test_a_bug_in_the_engine_is_told() -> None:
    class Buggy(CountJob):
        def write(self, files: Iterable[InputPath], writer: RowWriter) -> Iterator[str]:
            raise ZeroDivisionError("one by none")

    class Task(CountTask):
        def open(self, num_cores: int) -> CountJob:
            return Buggy(SETTINGS)

    one = Worker(Task(), 1)
    one.open()
    report = one.step(paths("a"), is_last=True, num_enough=1)
    assert report.error is not None
    assert "ZeroDivisionError: one by none" in report.error.message


def test_results_that_nobody_fetches_hold_the_engine(monkeypatch) -> None:
    monkeypatch.setattr(worker, "MAX_HELD_BYTES", 4 * 2**20)
    made: list[int] = []

    class Wide(CountJob):
        def write(self, files: Iterable[InputPath], writer: RowWriter) -> Iterator[str]:
            for file in files:
                for number in range(64):  # a mebibyte each
                    made.append(number)
                    row = np.zeros((1, 2**18), np.float32)
                    writer.append({"path": [file.name], "values": row})
                writer.commit(file.name)
                yield file.name

    class Task(CountTask):
        def open(self, num_cores: int) -> CountJob:
            return Wide(SETTINGS, WIDE)

    one = Worker(Task(), 1)
    one.open()
    events = list(one.step(paths("a"), is_last=True, num_enough=1).events)
    assert len(made) < 20
    events += steps(one, num_wanted=1)
    blocks = [event for event in events if isinstance(event, Block)]
    assert sum(len(block.content) for block in blocks) > 64 * 2**20
