"""The training loop, shared by pretraining and fine-tuning."""

import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from hiera_cli.errors import Failure, NoInputError, UsageError
from hiera_cli.training.checkpoint import RunFolder, read_state, read_weights
from hiera_cli.training.compiled import wrapped_model
from hiera_cli.training.data.batches import training_batches
from hiera_cli.training.data.samples import Batch
from hiera_cli.training.distributed import gather_objects, wait_for_all
from hiera_cli.training.records import (
    Epoch,
    MetricsLog,
    Record,
    Skipped,
    Started,
    Step,
    Validation,
)
from hiera_cli.training.run import Run
from hiera_cli.training.step import StepUnderWay, begin_step, end_step, max_under_way


def train(run: Run) -> Iterator[Record]:
    """Train to the end, or on from where an earlier start was interrupted.

    Yields a `Started`, then a `Step` after each optimizer step, an `Epoch` after each effective
    epoch and a `Skipped` for each unreadable file. Every process must consume its records.

    Raises:
        UsageError: the folder holds a run with other settings.
        NoInputError: not one file could be read.
        HieraError: the loss is not finite.
    """
    folder, log = _open_folder(run)
    known = log.failed_paths()
    forward = wrapped_model(run)
    run.state.model.train()
    yield _logged(_started(run), run, log)
    if run.start_loss is not None and run.state.step == 0:
        yield _logged(_judge_start(run, folder), run, log)
    epoch_began = step_began = time.perf_counter()
    under_way: deque[StepUnderWay] = deque()
    for batches in [] if _is_over(run) else _parts_of_steps(run):
        under_way.append(begin_step(run, forward, batches))
        for failure in _new_failures(batches, known):
            yield _logged(Skipped(failure), run, log)
        saves = _ends_epoch(run) or _due(run, run.state.step)
        while len(under_way) > (0 if saves else max_under_way(run.device)):
            record = end_step(run, under_way.popleft())
            now = time.perf_counter()
            yield _logged(_finished(record, run, known, seconds=now - step_began), run, log)
            step_began = now
        if _ends_epoch(run):
            epoch = _logged(_end_epoch(run, folder, began=epoch_began), run, log)
            _save(run, folder)
            epoch_began = step_began = time.perf_counter()
            yield epoch
            if _is_over(run):
                break
        elif saves:
            _save(run, folder)


def _parts_of_steps(run: Run) -> Iterator[list[Batch]]:
    """The batches of each step that is left."""
    parts = training_batches(
        run.samples,
        run.order,
        first_step=run.state.step,
        end_step=run.num_steps,
        workers=run.options.workers,
        pin_memory=run.device.type == "cuda",
    )
    for _ in range(run.state.step, run.num_steps):
        yield list(islice(parts, run.order.num_parts))


def _finished(step: Step, run: Run, known: set[str], *, seconds: float) -> Step:
    """The step's record with what is known only when all processes are through."""
    tokens = run.objective.visible_tokens(step.num_clips)
    return replace(
        step,
        num_failed=len(known),
        seconds=seconds,
        visible_tokens_per_second=tokens / seconds,
    )


def _open_folder(run: Run) -> tuple[RunFolder, MetricsLog]:
    """The run's folder, its state loaded when it was interrupted.

    Raises:
        UsageError: it holds another run.
    """
    folder = RunFolder(run.options.out)
    log = MetricsLog(folder.metrics_path)
    if run.process.is_main:
        folder.create()
        if run.options.on_existing == "overwrite":
            folder.clear()
    wait_for_all()
    newest = folder.newest()
    if newest is None:
        if run.process.is_main:
            folder.clear()
        wait_for_all()
        return folder, log
    if run.options.on_existing == "error":
        raise UsageError(f"{folder.path} holds a run", hint="use --on-existing resume or overwrite")
    kept = read_state(newest)
    _check_settings(kept["settings"], run)
    run.state.load_dict(kept, read_weights(newest))
    if run.process.is_main:
        log.forget_after(run.state.step)
    wait_for_all()
    return folder, log


def _check_settings(before: dict[str, object], run: Run) -> None:
    changed = [
        f"{name} {before.get(name)} -> {value}"
        for name, value in run.settings.items()
        if before.get(name) != value
    ]
    if changed:
        raise UsageError(
            f"{run.options.out} was started with other settings: {', '.join(changed)}",
            hint="repeat the first command to continue, or use --on-existing overwrite",
        )


def _started(run: Run) -> Started:
    trained = [p.numel() for p in run.state.model.parameters() if p.requires_grad]
    return Started(
        num_videos=run.order.num_samples,
        num_steps=run.num_steps,
        steps_per_epoch=run.order.steps_per_epoch,
        first_step=run.state.step,
        num_parameters=sum(trained),
        device=str(run.device),
        unit=run.samples.unit,
    )


def _new_failures(batches: Sequence[Batch], known: set[str]) -> list[Failure]:
    """Unreadable files of all processes that were not reported before; they become known."""
    here = [failure for batch in batches for failure in batch.failures]
    everywhere = [failure for there in gather_objects(here) for failure in there]
    new = {f.path: f for f in everywhere if f.path not in known}
    known.update(new)
    return list(new.values())


def _end_epoch(run: Run, folder: RunFolder, *, began: float) -> Epoch:
    """Validate, keep the weights when they are the best, start counting afresh.

    Raises:
        NoInputError: the epoch had no clip at all.
    """
    state = run.state
    if state.num_clips == 0:
        raise NoInputError(
            f"none of the {run.order.num_samples} training files could be read",
            hint="`hiera probe` says what is wrong with them",
        )
    train_loss = state.loss_sum / state.num_clips
    epoch = replace(_judge(run, folder, train_loss, began=began), trivial=run.objective.trivial())
    state.loss_sum, state.num_clips = 0.0, 0
    return epoch


def _judge_start(run: Run, folder: RunFolder) -> Epoch:
    """The weights that the run begins with, where they classify already: what is to be beaten.

    By one standard error of the validation's top-1: an epoch of many that is one clip better on
    a hundred says nothing, and the fitted head is the simpler model.
    """
    assert run.start_loss is not None
    epoch = _judge(run, folder, run.start_loss, began=time.perf_counter())
    if isinstance(epoch.validation, Validation):
        top1, num_videos = epoch.validation.top1, epoch.validation.num_videos
        margin = math.sqrt(top1 * (1 - top1) / max(num_videos, 1))
        run.state.best = (top1 + margin, -epoch.validation.loss)
    return epoch


def _judge(run: Run, folder: RunFolder, train_loss: float, *, began: float) -> Epoch:
    """Validate, and keep the weights when they are the best."""
    state = run.state
    validation = run.objective.validate(state.result)
    score = validation.score if validation else (float(state.step), 0.0)
    is_best = score > state.best
    state.num_worse = 0 if is_best else state.num_worse + 1
    if is_best:
        state.best = score
        if run.process.is_main:
            folder.save_best(lambda path: run.objective.save_result(path, state.result))
    return Epoch(
        epoch=-(-state.step // run.order.steps_per_epoch),
        step=state.step,
        train_loss=train_loss,
        validation=validation,
        is_best=is_best,
        seconds=time.perf_counter() - began,
    )


def _is_over(run: Run) -> bool:
    """Whether validation has not become better for as long as the recipe is patient."""
    return 0 < run.recipe.patience <= run.state.num_worse


def _ends_epoch(run: Run) -> bool:
    """Whether it is time to validate: after a whole number of epochs, or at the end."""
    step, every = run.state.step, run.options.validate_every * run.order.steps_per_epoch
    return step % every == 0 or step == run.num_steps


def _due(run: Run, step: int) -> bool:
    every = run.options.save_every
    return every > 0 and step % every == 0


def _save(run: Run, folder: RunFolder) -> None:
    """Write `last`: what a continued run starts from."""
    if run.process.is_main:
        values = {**run.state.to_dict(), "settings": run.settings}
        folder.save_last(values, lambda path: run.objective.save(path, run.state.model))
    wait_for_all()


def _logged(record: Record, run: Run, log: MetricsLog) -> Record:
    if run.process.is_main:
        log.append(record)
    return record
