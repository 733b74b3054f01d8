"""A pool of actors as the driver sees it: videos out, results into the table, nothing lost.

The driver alone writes the table. So the actors need no file system in common with it for the
output, an actor that was given up can spoil nothing, and what the driver has written survives the
cluster: the next run, on whatever machines, goes on from there.

Plain actors, not Ray Data: a video is in hand until its last row is in the table, the decoders of
an actor stay ahead across videos, and results are as small as their source is large. Ray Data
would hand out blocks, restart the decoders with each, and commit a block at a time.
"""

import logging
import math
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

from hiera_cli.distributed.cluster import ActorPlan
from hiera_cli.distributed.worker import Description, Done, Report, Task, Worker
from hiera_cli.errors import Failure, HieraError
from hiera_cli.inputs import InputPath
from hiera_cli.tables.rows import replay
from hiera_cli.tables.settings import differences
from hiera_cli.tables.table import Table, TableWriter

logger = logging.getLogger("hiera_cli")

MAX_WAITING = 8  # files that an actor has beside those that its loader has taken
ALONE_AFTER, MAX_DEATHS = 2, 3
MAX_BARREN_DEATHS = 5  # of actors, without a video finished in between
PATIENCE_SECONDS = 30.0


@dataclass(eq=False, slots=True)
class _Seat:
    """A place for an actor; when it dies another one takes the place.

    Attributes:
        actor: the present one.
        pending: the answer that is awaited from it, if there is any.
        is_open: whether it has its model.
        in_hand: what it was given and has not finished, by name, in order.
        num_waiting: how many of those its loader has not taken yet.
        writer: what takes its rows, in this process.
    """

    actor: Any
    pending: Any = None
    is_open: bool = False
    in_hand: dict[str, InputPath] = field(default_factory=dict)
    num_waiting: int = 0
    writer: TableWriter | None = None


class Pool:
    """Actors that run a task.

    Args:
        ray: the ray package, connected.
        task: what every actor does.
        plan: how many actors there are, and what each has.
    """

    def __init__(self, ray: Any, task: Task, plan: ActorPlan) -> None:
        self._ray = ray
        self._task = task
        self._plan = plan
        self._num_barren_deaths = 0
        self._deaths: dict[str, int] = {}
        self._description: Description | None = None
        self._seats = [_Seat(self._new_actor()) for _ in range(plan.num_actors)]
        for seat in self._seats:
            seat.pending = seat.actor.open.remote()

    def close(self) -> None:
        """End the actors."""
        for seat in self._seats:
            self._kill(seat)

    def describe(self) -> Description:
        """What the actors make, as the first one that is ready says.

        Raises:
            HieraError: it cannot load the model, or the actors die.
        """
        while self._description is None:
            for seat in self._ready():
                self._answer(seat)
        return self._description

    def agree(self, settings: Mapping[str, Any]) -> None:
        """Make sure that the actors make what is wanted.

        Raises:
            HieraError: they make something else.
        """
        found = differences(settings, self.describe().settings or {})
        if found:
            raise HieraError(f"the cluster would give other results: {'; '.join(found)}")

    def run(self, todo: Sequence[InputPath], table: Table) -> Iterator[Any]:
        """Have the actors work on videos.

        Yields:
            the record of each video once its rows are on disk, in the order of finishing; a
            `Failure` for one at which actors died again and again.

        Raises:
            HieraError: an actor says that nothing works, actors die one after the other, or an
                actor makes something else than the others. What is finished stays.
            OutputError: the table cannot be written.
        """
        self._todo, self._suspects = deque(todo), deque[InputPath]()
        with ExitStack() as stack:
            for seat in self._seats:
                seat.writer = stack.enter_context(table.writer())
            while self._is_work_left():
                self._hand_out()
                for seat in self._ready():
                    yield from self._answer(seat)

    def _is_work_left(self) -> bool:
        return bool(self._todo or self._suspects or any(seat.in_hand for seat in self._seats))

    # ------------------------------------------------------------------------ to the actors

    def _hand_out(self) -> None:
        """Ask every actor that is idle for its next step, if there is one."""
        for seat in self._seats:
            if not seat.is_open or seat.pending is not None:
                continue
            num_enough = self._num_enough()
            files = self._choose(seat, num_enough)
            if files or seat.in_hand:
                seat.in_hand |= {file.name: file for file in files}
                is_last = not self._todo
                seat.pending = seat.actor.step.remote(files, is_last=is_last, num_enough=num_enough)

    def _num_enough(self) -> int:
        """How many files should wait at an actor: few towards the end, so that all end together."""
        share = math.ceil(len(self._todo) / (4 * len(self._seats)))
        return max(1, min(MAX_WAITING, share))

    def _choose(self, seat: _Seat, num_enough: int) -> list[InputPath]:
        """The files that an actor gets now; a suspect one only when it has no other."""
        num = min(len(self._todo), num_enough - seat.num_waiting)
        if num > 0:
            return [self._todo.popleft() for _ in range(num)]
        if self._suspects and not self._todo and not seat.in_hand:
            return [self._suspects.popleft()]
        return []

    # ---------------------------------------------------------------------- from the actors

    def _ready(self) -> list[_Seat]:
        """The seats whose answer has come."""
        begun = time.monotonic()
        pending = {seat.pending: seat for seat in self._seats if seat.pending is not None}
        assert pending, "somebody must be at work"
        while True:
            ready, _ = self._ray.wait(list(pending), timeout=PATIENCE_SECONDS)
            if ready:
                return [pending[ready[0]]]
            if not any(seat.is_open for seat in self._seats):
                waited = time.monotonic() - begun
                logger.warning("no actor has started in %.0f s: is the cluster full?", waited)

    def _answer(self, seat: _Seat) -> Iterator[Any]:
        """Take an actor's answer, or its death."""
        pending, seat.pending = seat.pending, None
        try:
            answer = self._ray.get(pending)
        except self._ray.exceptions.RayTaskError as error:
            raise HieraError(f"internal error in a Ray actor: {error}") from error
        except self._ray.exceptions.RayError as error:
            logger.debug("an actor is lost", exc_info=error)
            return iter(self._replace(seat, error))
        if answer.error is not None:
            raise answer.error
        if isinstance(answer, Description):
            self._compare(answer)
            seat.is_open = True
            return iter(())
        return self._take(seat, answer)

    def _compare(self, description: Description) -> None:
        """Refuse an actor that makes something else than the others."""
        self._description = self._description or description
        own, other = self._description.settings or {}, description.settings or {}
        found = differences(own, other)
        if found:
            raise HieraError(
                f"the machines of the cluster would give different results: {'; '.join(found)}",
                hint="name --device, --dtype and a weights file that is the same on all of them",
            )

    def _take(self, seat: _Seat, report: Report) -> Iterator[Any]:
        """Carry out what a report says."""
        assert seat.writer is not None
        seat.num_waiting = report.num_waiting
        for event in report.events:
            if isinstance(event, Done):
                yield event.record
                continue
            replay(event, seat.writer)
            name = _finished_name(event)
            if name is not None:
                del seat.in_hand[name]
                self._num_barren_deaths = 0

    # --------------------------------------------------------------------- when they die

    def _replace(self, seat: _Seat, error: Exception) -> list[Failure]:
        """A new actor in the place of one that died; its videos are to be done again.

        Returns:
            The failures of videos in whose company actors died too often.
        """
        self._num_barren_deaths += 1
        if self._num_barren_deaths > MAX_BARREN_DEATHS * len(self._seats):
            raise HieraError(
                f"the actors die one after the other: {str(error).splitlines()[0]}",
                hint="look at Ray's logs; finished work is kept: run the same command again",
            ) from error
        logger.warning("an actor died; its %d videos are given to others", len(seat.in_hand))
        self._kill(seat)
        files, seat.in_hand, seat.num_waiting = list(seat.in_hand.values()), {}, 0
        if seat.writer is not None:
            seat.writer.discard()
        failures = [failure for file in reversed(files) for failure in self._put_back(file)]
        for failure in failures:
            assert seat.writer is not None
            seat.writer.fail(failure)
        seat.actor, seat.is_open = self._new_actor(), False
        seat.pending = seat.actor.open.remote()
        return failures

    def _put_back(self, file: InputPath) -> list[Failure]:
        """Have a video done again, by itself if it is suspect; or give it up."""
        deaths = self._deaths[file.name] = self._deaths.get(file.name, 0) + 1
        if deaths >= MAX_DEATHS:
            reason = f"{deaths} processes died while they worked on it"
            return [Failure(file.name, "internal", reason)]
        if deaths >= ALONE_AFTER:
            self._suspects.append(file)
        else:
            self._todo.appendleft(file)
        return []

    def _new_actor(self) -> Any:
        options = {
            "num_cpus": self._plan.num_cores,
            "num_gpus": self._plan.num_gpus,
            "scheduling_strategy": "SPREAD",
            "max_restarts": 0,  # the pool knows better what a new one has to do
        }
        actor_class = self._ray.remote(Worker).options(**options)
        return actor_class.remote(self._task, max(1, int(self._plan.num_cores)))

    def _kill(self, seat: _Seat) -> None:
        with suppress(Exception):  # it is dead, or the cluster is
            self._ray.kill(seat.actor)


def _finished_name(event: object) -> str | None:
    """The video whose last word an event is."""
    if isinstance(event, Failure):
        return event.path
    return getattr(event, "key", None)
