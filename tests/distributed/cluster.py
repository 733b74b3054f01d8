"""A cluster without ray: actors are threads of this process, and die where a test says so."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hiera_cli.distributed.worker import Worker
from hiera_cli.errors import Failure
from hiera_cli.inputs import InputPath
from hiera_cli.tables import Column, RowWriter, Table, begin_table, parse_output

COLUMNS = (Column("path", "string"), Column("number", "int32"))
SETTINGS = {"kind": "test"}


class RayError(Exception):
    """As `ray.exceptions.RayError`."""


class RayTaskError(RayError):
    """As `ray.exceptions.RayTaskError`."""


@dataclass(frozen=True)
class CountTask:
    """Writes three rows for each file, and a failure for one called bad."""

    settings: Mapping[str, Any] | None = None

    def open(self, num_cores: int) -> "CountJob":
        return CountJob(self.settings or SETTINGS)


@dataclass(frozen=True)
class CountJob:
    settings: Mapping[str, Any]
    columns: tuple[Column, ...] = COLUMNS

    def write(self, files: Iterable[InputPath], writer: RowWriter) -> Iterator[str | Failure]:
        for file in files:
            if file.name == "bad":
                failure = Failure("bad", "corrupt", "it is bad")
                writer.fail(failure)
                yield failure
                continue
            for number in range(3):
                writer.append({"path": [file.name], "number": [number]})
            writer.commit(file.name)
            yield file.name


class FakeActor:
    """A `Worker` whose calls are made when their answer is asked for."""

    def __init__(self, worker: Worker, *, dies: Callable[[list[str]], bool]) -> None:
        self._worker = worker
        self._dies = dies
        self.was_killed = False
        self.open = SimpleNamespace(remote=lambda: self._worker.open)
        self.step = SimpleNamespace(remote=self._step)

    def _step(self, files: list[InputPath], **rest: Any) -> Callable[[], Any]:
        def call() -> Any:
            if self.was_killed or self._dies([file.name for file in files]):
                raise RayError("the actor died")
            return self._worker.step(files, **rest)

        return call


class FakeRay:
    """What `Pool` needs of ray.

    Args:
        dies: told the names that an actor is given; whether it dies of them.
    """

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def __init__(self, dies: Callable[[list[str]], bool] = lambda _: False) -> None:
        self.actors: list[FakeActor] = []
        self._dies = dies

    def remote(self, kind: type[Worker]) -> Any:
        def make(*arguments: Any) -> FakeActor:
            self.actors.append(FakeActor(kind(*arguments), dies=self._dies))
            return self.actors[-1]

        return SimpleNamespace(options=lambda **_: SimpleNamespace(remote=make))

    def wait(self, pending: list[Any], *, timeout: float) -> tuple[list[Any], list[Any]]:
        return pending[:1], pending[1:]

    def get(self, call: Callable[[], Any]) -> Any:
        return call()

    def kill(self, actor: FakeActor) -> None:
        actor.was_killed = True


def count_table(path: Path) -> Table:
    """A table for the rows of `CountTask`; the output is not locked."""
    output = parse_output(path)
    output.partial.mkdir(parents=True, exist_ok=True)
    return begin_table(output, COLUMNS, settings=SETTINGS)
