"""One optimizer step: the gradient of all parts and processes, then the update."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from hiera_cli.errors import HieraError
from hiera_cli.training.compiled import Forward
from hiera_cli.training.data.samples import Batch
from hiera_cli.training.distributed import sum_over_processes
from hiera_cli.training.optim import set_lr
from hiera_cli.training.records import Step
from hiera_cli.training.run import Run


@dataclass(frozen=True, eq=False, slots=True)
class StepNumbers:
    """What a step finds out, on its way from the device.

    Attributes:
        values: (2,) float32: the loss, summed over the clips, and the norm of the gradient.
        arrival: when they can be read; None: now.
    """

    values: Tensor
    arrival: torch.cuda.Event | None = None

    def read(self) -> tuple[float, float]:
        """Loss and norm; waits for the step to end."""
        if self.arrival is not None:
            self.arrival.synchronize()
        loss_sum, norm = self.values.tolist()
        return loss_sum, norm


@dataclass(frozen=True, eq=False, slots=True)
class StepUnderWay:
    """A step that the device has been told to do."""

    step: int
    lr: float
    num_clips: int
    numbers: StepNumbers


def max_under_way(device: torch.device) -> int:
    """Steps that a device has been given and not yet answered, besides a new one.

    A GPU begins the next step while the host reads what became of the last one.
    """
    return 1 if device.type == "cuda" else 0


def begin_step(run: Run, forward: Forward, batches: Sequence[Batch]) -> StepUnderWay:
    """One optimizer step; without a single clip the weights stay as they are."""
    state = run.state
    lr = run.lr(state.step)
    set_lr(state.optimizer, lr)
    loss_sum, num_clips = backward(run, forward, batches)
    norm = update(run) if num_clips else torch.zeros((), device=run.device)
    state.step += 1
    return StepUnderWay(state.step, lr, num_clips, sent(loss_sum, norm))


def end_step(run: Run, begun: StepUnderWay) -> Step:
    """What became of a step, counted.

    Raises:
        HieraError: the loss is not finite; nothing of the step has been written.
    """
    loss_sum, norm = begun.numbers.read()
    loss_sum, num_clips = checked_loss(loss_sum, step=begun.step), begun.num_clips
    run.state.loss_sum += loss_sum
    run.state.num_clips += num_clips
    return Step(
        step=begun.step,
        epoch=begun.step / run.order.steps_per_epoch,
        loss=loss_sum / num_clips if num_clips else None,
        lr=begun.lr,
        grad_norm=norm if num_clips and math.isfinite(norm) else None,
        num_clips=num_clips,
    )


def backward(run: Run, forward: Forward, batches: Sequence[Batch]) -> tuple[Tensor, int]:
    """Gradient of the mean loss over the clips of all parts and processes.

    Returns:
        The summed loss (1,) on the device and the number of clips, over all processes.
    """
    num_clips = _count_clips(run, batches)
    # summed on the device: reading a loss for each part would make the GPU wait for Python
    total = torch.zeros(1, device=run.device)
    if num_clips == 0:
        return total, 0
    with _random_state(run):
        for index, batch in enumerate(batches):
            last = index == len(batches) - 1
            total += _backward_part(run, forward, batch, num_clips=num_clips, last=last)
    return sum_over_processes(total), num_clips


def _count_clips(run: Run, batches: Sequence[Batch]) -> int:
    """Clips of all parts and processes; only several processes have to ask their devices."""
    here = sum(len(batch) for batch in batches)
    if run.process.world_size == 1:
        return here
    return int(sum_over_processes(torch.tensor([float(here)], device=run.device)).item())


def _backward_part(
    run: Run, forward: Forward, batch: Batch, *, num_clips: int, last: bool
) -> Tensor:
    """Add one part's gradient; the part's summed loss."""
    waits = isinstance(forward.eager, DistributedDataParallel) and not last
    with cast(DistributedDataParallel, forward.eager).no_sync() if waits else nullcontext():
        present = batch if len(batch) else run.samples.blank()  # DDP needs a gradient
        dtype = getattr(torch, run.options.precision)
        if forward.compiled is not None:  # it imports the compiler, which takes a second
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        with torch.autocast(run.device.type, dtype, enabled=dtype != torch.float32):
            mean = run.objective.loss(forward.of(len(present)), present.to(run.device))
        summed = mean.float() * len(batch)
        share = summed * (run.process.world_size / num_clips)  # DDP averages over processes
        torch.autograd.backward(run.state.scaler.scale(share))
    return summed.detach()


def update(run: Run) -> Tensor:
    """One optimizer step; the norm of the gradient (), not finite when it overflowed."""
    state = run.state
    state.scaler.unscale_(state.optimizer)  # the limit is for true gradients
    limit = run.recipe.clip_norm or float("inf")
    norm = nn.utils.clip_grad_norm_(state.model.parameters(), limit)
    state.scaler.step(state.optimizer)
    state.scaler.update()
    state.optimizer.zero_grad(set_to_none=True)  # no pass over memory to write zeros
    if state.average:
        state.average.update(state.model, step=state.step)
    return norm


def sent(loss_sum: Tensor, norm: Tensor) -> StepNumbers:
    """Loss (1,) and norm () on their way to the host, which goes on meanwhile."""
    values = torch.cat([loss_sum, norm.detach().float().view(1)])
    if values.device.type != "cuda":
        return StepNumbers(values)
    here = values.to("cpu", non_blocking=True)  # into pinned memory
    return StepNumbers(here, torch.cuda.current_stream(values.device).record_event())


def checked_loss(loss_sum: float, *, step: int) -> float:
    """The summed loss of a step, finite.

    Raises:
        HieraError: it is not.
    """
    if not np.isfinite(loss_sum):
        raise HieraError(
            f"the loss is {loss_sum} at step {step}",
            hint="continue from the last checkpoint with a lower --lr or --precision float32",
        )
    return loss_sum


@contextmanager
def _random_state(run: Run) -> Iterator[None]:
    """Dropout and drop path draw from torch's global generator: seed it for this step only."""
    devices = [run.device] if run.device.type == "cuda" else []
    entropy = [run.options.seed, run.state.step, run.process.rank]
    seed = int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0])
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
