"""The training loop, shared by pretraining and fine-tuning."""

import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from math import ceil
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from hiera_cli.errors import Failure, HieraError, NoInputError, UsageError
from hiera_cli.training.checkpoint import RunFolder, read_state
from hiera_cli.training.data import Batch, TrainingClips, training_batches
from hiera_cli.training.distributed import (
    Process,
    gather_objects,
    sum_over_processes,
    wait_for_all,
)
from hiera_cli.training.optim import lr_at, set_lr
from hiera_cli.training.order import Order
from hiera_cli.training.recipes import Recipe
from hiera_cli.training.records import (
    Epoch,
    MetricsLog,
    Record,
    Skipped,
    Started,
    Step,
    Validation,
)
from hiera_cli.training.state import TrainingState

Precision = Literal["float32", "bfloat16", "float16"]
OnExisting = Literal["resume", "overwrite", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How a run is carried out, whatever it learns.

    Attributes:
        out: the run's folder.
        on_existing: what to do when that folder holds a run already.
        seed: of everything random.
        device: `auto`, `cpu`, `cuda` …
        precision: of the arithmetic; weights and optimizer stay float32.
        num_parts: parts that a batch is worked through in, to save memory (accumulation).
        checkpoint_activations: compute activations again in the backward pass, to save memory.
        compiled: run the model through torch.compile.
        workers: decoding processes; 0 decodes between the steps.
        save_every_steps: checkpoints between the ends of epochs; 0: at the ends only.
    """

    out: Path
    on_existing: OnExisting = "resume"
    seed: int = 0
    device: str = "auto"
    precision: Precision = "float32"
    num_parts: int = 1
    checkpoint_activations: bool = False
    compiled: bool = False
    workers: int = 2
    save_every_steps: int = 0


class Objective(Protocol):
    """What a run minimises and what it leaves behind."""

    def placeholder(self) -> Batch:
        """A batch of one blank clip, for a process whose files are all unreadable."""

    def loss(self, forward: nn.Module, batch: Batch) -> Tensor:
        """Mean loss () over the clips of a batch on the device."""

    def visible_tokens(self, num_clips: int) -> int:
        """Tokens of that many clips that the encoder works on; 0: of no interest."""

    def validate(self, model: nn.Module) -> Validation | None:
        """How the model does on held-out videos; the same answer in every process."""

    def save(self, folder: Path, model: nn.Module) -> None:
        """Write the model's folder: config.json and model.safetensors."""


@dataclass(frozen=True, eq=False, slots=True)
class Run:
    """Everything that `train` puts together."""

    objective: Objective
    state: TrainingState
    clips: TrainingClips
    order: Order
    recipe: Recipe
    options: RunOptions
    process: Process
    device: torch.device
    settings: dict[str, Any]

    @property
    def num_steps(self) -> int:
        """Optimizer steps of the whole run."""
        return max(1, round(self.recipe.epochs * self.order.steps_per_epoch))

    def lr(self, step: int) -> float:
        """Learning rate of a step."""
        return lr_at(
            step,
            num_steps=self.num_steps,
            warmup_steps=round(self.recipe.warmup_epochs * self.order.steps_per_epoch),
            lr=self.recipe.lr,
            min_lr=min(self.recipe.min_lr, self.recipe.lr),
        )


def train(run: Run) -> Iterator[Record]:
    """Train to the end, or on from where an earlier start was interrupted.

    Yields a `Started`, then a `Step` after each optimizer step, an `Epoch` after each effective
    epoch and a `Skipped` for each unreadable file. Every process must consume its records.

    Raises:
        UsageError: the folder holds a run with other settings.
        NoInputError: not one file could be read.
        HieraError: the loss is not finite.
    """
    state, order = run.state, run.order
    folder, log = _open_folder(run)
    known = log.failed_paths()
    forward = _wrapped_model(run)
    parts = training_batches(
        run.clips,
        order,
        first_step=state.step,
        end_step=run.num_steps,
        workers=run.options.workers,
        pin_memory=run.device.type == "cuda",
    )
    yield _started(run)
    epoch_began = step_began = time.perf_counter()
    for step in range(state.step, run.num_steps):
        lr = run.lr(step)
        set_lr(state.optimizer, lr)
        batches = list(islice(parts, order.num_parts))
        loss_sum, num_clips = _backward(run, forward, batches)
        grad_norm = _update(run) if num_clips else None
        state.step, state.loss_sum = step + 1, state.loss_sum + loss_sum
        state.num_clips += num_clips

        for failure in _new_failures(batches, known):
            yield _logged(Skipped(failure), run, log)
        now = time.perf_counter()
        seconds, step_began = now - step_began, now
        record = Step(
            step=state.step,
            epoch=state.step / order.steps_per_epoch,
            loss=loss_sum / num_clips if num_clips else None,
            lr=lr,
            grad_norm=grad_norm,
            num_clips=num_clips,
            num_failed=len(known),
            seconds=seconds,
            visible_tokens_per_second=run.objective.visible_tokens(num_clips) / seconds,
        )
        yield _logged(record, run, log)

        ended = state.step % order.steps_per_epoch == 0 or state.step == run.num_steps
        if ended:
            epoch = _end_epoch(run, folder, began=epoch_began)
            epoch_began = step_began = time.perf_counter()
            yield _logged(epoch, run, log)
        if ended or _due(run, state.step):
            _save(run, folder)


def _backward(run: Run, forward: nn.Module, batches: Sequence[Batch]) -> tuple[float, int]:
    """Gradient of the mean loss over the clips of all parts and processes.

    Returns:
        The summed loss and the number of clips, over all processes.
    """
    counts = torch.tensor([float(sum(len(batch) for batch in batches))], device=run.device)
    num_clips = int(sum_over_processes(counts).item())
    if num_clips == 0:
        return 0.0, 0
    total = torch.zeros(1, device=run.device)
    with _random_state(run):
        for index, batch in enumerate(batches):
            last = index == len(batches) - 1
            total += _backward_part(run, forward, batch, num_clips=num_clips, last=last)
    loss_sum = sum_over_processes(total).item()
    if not np.isfinite(loss_sum):
        raise HieraError(
            f"the loss is {loss_sum} at step {run.state.step + 1}",
            hint="continue from the last checkpoint with a lower --lr or --precision float32",
        )
    return loss_sum, num_clips


def _backward_part(
    run: Run, forward: nn.Module, batch: Batch, *, num_clips: int, last: bool
) -> Tensor:
    """Add one part's gradient; the part's summed loss."""
    waits = isinstance(forward, DistributedDataParallel) and not last
    with forward.no_sync() if waits else nullcontext():
        present = batch if len(batch) else run.objective.placeholder()
        dtype = getattr(torch, run.options.precision)
        with torch.autocast(run.device.type, dtype, enabled=dtype != torch.float32):
            mean = run.objective.loss(forward, present.to(run.device))
        summed = mean.float() * len(batch)
        share = summed * (run.process.world_size / num_clips)  # DDP averages over processes
        run.state.scaler.scale(share).backward()
    return summed.detach()


def _update(run: Run) -> float | None:
    """One optimizer step; the norm of the gradient, None when it overflowed."""
    state = run.state
    state.scaler.unscale_(state.optimizer)
    limit = run.recipe.clip_norm or float("inf")
    norm = nn.utils.clip_grad_norm_(state.model.parameters(), limit).item()
    state.scaler.step(state.optimizer)
    state.scaler.update()
    state.optimizer.zero_grad(set_to_none=True)
    if state.average:
        state.average.update(state.model)
    return norm if np.isfinite(norm) else None
