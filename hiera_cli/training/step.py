"""One optimizer step: the gradient of all parts and processes, then the update."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from hiera_cli.errors import HieraError
from hiera_cli.training.data.samples import Batch
from hiera_cli.training.distributed import sum_over_processes
from hiera_cli.training.run import Run


def wrapped_model(run: Run) -> nn.Module:
    """The model as a step calls it: distributed and compiled where asked for."""
    forward: nn.Module = run.state.model
    if run.process.world_size > 1:
        on_gpu = run.device.type == "cuda"
        forward = DistributedDataParallel(forward, device_ids=[run.device] if on_gpu else None)
    if run.options.compile_model:
        forward.compile()
    return forward


def backward(run: Run, forward: nn.Module, batches: Sequence[Batch]) -> tuple[float, int]:
    """Gradient of the mean loss over the clips of all parts and processes.

    Returns:
        The summed loss and the number of clips, over all processes.
    """
    counts = torch.tensor([float(sum(len(batch) for batch in batches))], device=run.device)
    num_clips = int(sum_over_processes(counts).item())
    if num_clips == 0:
        return 0.0, 0
    # summed on the device: reading a loss for each part would make the GPU wait for Python
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
    with cast(DistributedDataParallel, forward).no_sync() if waits else nullcontext():
        present = batch if len(batch) else run.samples.blank()  # DDP needs a gradient
        dtype = getattr(torch, run.options.precision)
        with torch.autocast(run.device.type, dtype, enabled=dtype != torch.float32):
            mean = run.objective.loss(forward, present.to(run.device))
        summed = mean.float() * len(batch)
        share = summed * (run.process.world_size / num_clips)  # DDP averages over processes
        torch.autograd.backward(run.state.scaler.scale(share))
    return summed.detach()


def update(run: Run) -> float | None:
    """One optimizer step; the norm of the gradient, None when it overflowed."""
    state = run.state
    state.scaler.unscale_(state.optimizer)  # the limit is for true gradients
    limit = run.recipe.clip_norm or float("inf")
    norm = nn.utils.clip_grad_norm_(state.model.parameters(), limit).item()
    state.scaler.step(state.optimizer)
    state.scaler.update()
    state.optimizer.zero_grad(set_to_none=True)  # no pass over memory to write zeros
    if state.average:
        state.average.update(state.model, step=state.step)
    return norm if np.isfinite(norm) else None


@contextmanager
def _random_state(run: Run) -> Iterator[None]:
    """Dropout and drop path draw from torch's global generator: seed it for this step only."""
    devices = [run.device] if run.device.type == "cuda" else []
    entropy = [run.options.seed, run.state.step, run.process.rank]
    seed = int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0])
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
