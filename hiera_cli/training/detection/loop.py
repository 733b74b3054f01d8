"""The training loop of detectors, which learn from samples with boxes instead of batches of clips.

The run's folder, the order of the samples and the records are those of the other training runs, so
that a detector's run is interrupted, continued and watched as they are.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from hiera_cli.errors import Failure, HieraError, NoInputError, UsageError
from hiera_cli.training.checkpoint import RunFolder, read_state, read_weights
from hiera_cli.training.data.order import Draw, Order
from hiera_cli.training.optim import set_lr
from hiera_cli.training.options import RunOptions
from hiera_cli.training.recipe import Recipe
from hiera_cli.training.records import Epoch, MetricsLog, Record, Skipped, Started, Step
from hiera_cli.training.state import TrainingState


class Lessons(Protocol):
    """What a detector learns from, and what becomes of it."""

    def __len__(self) -> int:
        """Number of samples."""

    def sample(self, draw: Draw) -> Any:
        """A sample, augmented as its draw says, or a `Failure`."""

    def loss(self, model: nn.Module, samples: list[Any]) -> Tensor:
        """Mean loss () over the samples."""

    def save(self, folder: Path, model: nn.Module) -> None:
        """Write the model's folder."""


@dataclass(frozen=True, eq=False, slots=True)
class DetectorRun:
    """A run put together.

    Attributes:
        lessons: what is learnt.
        state: model, optimizer and counters.
        order: the samples of each step.
        recipe: numbers of the run.
        lr: learning rate of a step, of the number of steps.
        options: where it goes and how it is carried out.
        device: where the model is.
        settings: what a continued run must repeat.
    """

    lessons: Lessons
    state: TrainingState
    order: Order
    recipe: Recipe
    lr: Callable[[int, int], float]
    options: RunOptions
    device: torch.device
    settings: dict[str, Any]

    @property
    def num_steps(self) -> int:
        """Optimizer steps of the whole run."""
        return max(1, round(self.recipe.epochs * self.order.steps_per_epoch))


def stepped_lr(step: int, num_steps: int, *, lr: float, warmup_steps: int) -> float:
    """ViTDet's schedule: linear warm-up from a thousandth, a tenth after 8/9, again after 26/27."""
    warmup_steps = min(warmup_steps, num_steps // 10)
    if step < warmup_steps:
        return lr * (0.001 + 0.999 * step / warmup_steps)
    passed = sum(step >= share * num_steps for share in (8 / 9, 26 / 27))
    return lr * 0.1**passed


def train_detector(run: DetectorRun) -> Iterator[Record]:
    """Train to the end, or on from where an earlier start was interrupted.

    Yields a `Started`, then a `Step` after each optimizer step, an `Epoch` after each epoch and a
    `Skipped` for each unreadable file.

    Raises:
        UsageError: the folder holds a run with other settings.
        NoInputError: no file of an epoch could be read.
        HieraError: the loss is not finite.
    """
    folder, log = _open_folder(run)
    known = log.failed_paths()
    state = run.state
    yield _started(run)
    began = step_began = time.perf_counter()
    for items in _steps(run):
        state.model.train()
        failures = [item for item in items if isinstance(item, Failure)]
        for failure in failures:
            if failure.path not in known:
                known.add(failure.path)
                log.append(Skipped(failure))
                yield Skipped(failure)
        samples = [item for item in items if not isinstance(item, Failure)]
        record = _take_step(run, samples, num_failed=len(known), began=step_began)
        step_began = time.perf_counter()
        log.append(record)
        yield record
        if state.step % run.order.steps_per_epoch == 0 or state.step == run.num_steps:
            epoch = _end_epoch(run, folder, began=began)
            began = step_began = time.perf_counter()
            log.append(epoch)
            yield epoch


class _Visits(Dataset[Any]):
    def __init__(self, lessons: Lessons) -> None:
        self._lessons = lessons

    def __getitem__(self, draw: Draw) -> Any:
        return self._lessons.sample(draw)


def _steps(run: DetectorRun) -> Iterator[list[Any]]:
    """The samples of each step that is left, read by the run's worker processes."""
    draws = [run.order.part(step, 0) for step in range(run.state.step, run.num_steps)]
    yield from DataLoader(
        _Visits(run.lessons),
        batch_sampler=draws,
        collate_fn=list,
        num_workers=run.options.workers,
        prefetch_factor=2 if run.options.workers else None,
    )


def _take_step(run: DetectorRun, samples: list[Any], *, num_failed: int, began: float) -> Step:
    """One optimizer step; without a single sample the weights stay as they are."""
    state = run.state
    lr = run.lr(state.step, run.num_steps)
    set_lr(state.optimizer, lr)
    loss = grad_norm = None
    if samples:
        with _random_state(run):
            mean = run.lessons.loss(state.model, samples)
        loss = float(mean.detach())
        if not np.isfinite(loss):
            raise HieraError(
                f"the loss is {loss} at step {state.step + 1}",
                hint="continue from the last checkpoint with a lower --lr",
            )
        torch.autograd.backward(mean)
        limit = run.recipe.clip_norm or float("inf")
        grad_norm = nn.utils.clip_grad_norm_(state.model.parameters(), limit).item()
        state.optimizer.step()
        state.optimizer.zero_grad(set_to_none=True)
        state.loss_sum += loss * len(samples)
        state.num_clips += len(samples)
    state.step += 1
    return Step(
        step=state.step,
        epoch=state.step / run.order.steps_per_epoch,
        loss=loss,
        lr=lr,
        grad_norm=grad_norm,
        num_clips=len(samples),
        num_failed=num_failed,
        seconds=time.perf_counter() - began,
    )


def _started(run: DetectorRun) -> Started:
    return Started(
        num_videos=len(run.lessons),
        num_steps=run.num_steps,
        steps_per_epoch=run.order.steps_per_epoch,
        first_step=run.state.step,
        num_parameters=sum(p.numel() for p in run.state.model.parameters() if p.requires_grad),
        device=str(run.device),
    )


def _end_epoch(run: DetectorRun, folder: RunFolder, *, began: float) -> Epoch:
    """Write the result and what a continued run starts from."""
    state = run.state
    if state.num_clips == 0:
        raise NoInputError(f"none of the {len(run.lessons)} training files could be read")
    loss = state.loss_sum / state.num_clips
    state.loss_sum, state.num_clips = 0.0, 0
    folder.save_best(lambda path: run.lessons.save(path, state.model))
    folder.save_last(
        {**state.to_dict(), "settings": run.settings},
        lambda path: run.lessons.save(path, state.model),
    )
    return Epoch(
        epoch=-(-state.step // run.order.steps_per_epoch),
        step=state.step,
        train_loss=loss,
        validation=None,
        is_best=True,
        seconds=time.perf_counter() - began,
    )


def _open_folder(run: DetectorRun) -> tuple[RunFolder, MetricsLog]:
    """The run's folder, its state loaded when it was interrupted.

    Raises:
        UsageError: it holds another run.
    """
    folder = RunFolder(run.options.out)
    log = MetricsLog(folder.metrics_path)
    folder.create()
    if run.options.on_existing == "overwrite":
        folder.clear()
    newest = folder.newest()
    if newest is None:
        folder.clear()
        return folder, log
    if run.options.on_existing == "error":
        raise UsageError(f"{folder.path} holds a run", hint="use --on-existing resume or overwrite")
    kept = read_state(newest)
    if kept["settings"] != run.settings:
        raise UsageError(
            f"{run.options.out} was started with other settings",
            hint="repeat the first command to continue, or use --on-existing overwrite",
        )
    run.state.load_dict(kept, read_weights(newest))
    log.forget_after(run.state.step)
    return folder, log


@contextmanager
def _random_state(run: DetectorRun) -> Iterator[None]:
    """Proposals, dropout and drop path draw from torch's global generator: seed it for a step."""
    devices = [run.device] if run.device.type == "cuda" else []
    entropy = [run.options.seed, run.state.step]
    seed = int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0])
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
