"""The model as a training step calls it: distributed, compiled, replayed as a CUDA graph."""

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from hiera_cli.model.hiera import Hiera
from hiera_cli.model.mae import MaskedAutoencoder
from hiera_cli.training.run import Run

COMPILER = "inductor"


@dataclass(frozen=True, eq=False, slots=True)
class Forward:
    """The model as a step calls it.

    Attributes:
        eager: distributed where there are several processes.
        compiled: for full batches, where that is asked for; a smaller one, of which files could
            not be read, is computed eagerly: compiling for it would take longer than the step.
        num_clips: in a full batch; None: any number is compiled for.
    """

    eager: nn.Module
    compiled: nn.Module | None
    num_clips: int | None

    def of(self, num_clips: int) -> nn.Module:
        """What computes a batch of so many clips."""
        if self.compiled is None or self.num_clips not in (None, num_clips):
            return self.eager
        return self.compiled


def wrapped_model(run: Run) -> Forward:
    """The model as a step calls it: distributed and compiled where asked for."""
    eager: nn.Module = run.state.model
    if run.process.world_size > 1:
        on_gpu = run.device.type == "cuda"
        eager = DistributedDataParallel(eager, device_ids=[run.device] if on_gpu else None)
    compiled: nn.Module | None = None
    if run.options.compile_model:
        compiled = _compiled(eager, run)
    num_clips = run.order.videos_per_part * run.order.repeats if _is_static(run) else None
    return Forward(eager, compiled, num_clips)


def _compiled(eager: nn.Module, run: Run) -> nn.Module:
    options: dict[str, Any] = {}
    if captures_graphs(run):
        options["triton.cudagraphs"] = True
        # hiera-optim 0.2.1 reports that replays of cuDNN's attention read freed memory on Hopper
        torch.backends.cuda.enable_cudnn_sdp(enabled=False)
    dynamic = False if _is_static(run) else None
    compiled = torch.compile(eager, dynamic=dynamic, backend=COMPILER, options=options or None)
    return cast(nn.Module, compiled)


def _is_static(run: Run) -> bool:
    """Whether no shape depends on a value, as those of a detector do."""
    return isinstance(run.state.model, Hiera | MaskedAutoencoder)


def captures_graphs(run: Run) -> bool:
    """Whether a compiled step is replayed as a CUDA graph: no launch of a kernel costs time then.

    Not where gradients are summed over parts (a graph writes the next part's over them), nor
    where activations are computed again (the graph keeps both), nor between processes.
    """
    return (
        COMPILER == "inductor"
        and _is_static(run)
        and run.device.type == "cuda"
        and run.options.accumulate == 1
        and not run.options.checkpoint_activations
        and run.process.world_size == 1
    )
