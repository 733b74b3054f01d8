"""A training run put together: what is minimised, on which clips, how, and where."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from hiera_cli.model.config import HieraConfig
from hiera_cli.training.data.augmentation import Augmentation
from hiera_cli.training.data.batches import TrainingClips, TrainingVideo
from hiera_cli.training.data.clips import ClipSource
from hiera_cli.training.data.order import Order
from hiera_cli.training.data.samples import Samples
from hiera_cli.training.data.symmetries import Symmetries
from hiera_cli.training.distributed import Process
from hiera_cli.training.optim import Schedule, cosine, make_optimizer
from hiera_cli.training.options import RunOptions
from hiera_cli.training.recipe import Recipe
from hiera_cli.training.records import DetectionValidation, TrivialLosses, Validation
from hiera_cli.training.state import Average, TrainingState


class Objective(Protocol):
    """What a run minimises and what it leaves behind."""

    def loss(self, forward: nn.Module, batch: Any) -> Tensor:
        """Mean loss () over the samples of a batch on the device."""

    def visible_tokens(self, num_clips: int) -> int:
        """Tokens of that many clips that the encoder works on; 0: of no interest."""

    def trivial(self) -> TrivialLosses | None:
        """What trivial answers lost since the last call; the same in every process."""

    def validate(self, model: nn.Module) -> Validation | DetectionValidation | None:
        """How the model does on held-out videos; the same answer in every process."""

    def save(self, folder: Path, model: nn.Module) -> None:
        """Write the model's folder: config.json and model.safetensors."""

    def save_result(self, folder: Path, model: nn.Module) -> None:
        """As `save`, for the model that was validated last and is to be used."""


@dataclass(frozen=True, eq=False, slots=True)
class Run:
    """Everything that `train` puts together.

    Attributes:
        start_loss: mean cross entropy of the training clips where the run begins with a head that
            was fitted to them; None: it begins with no useful head.
    """

    objective: Objective
    state: TrainingState
    samples: Samples
    order: Order
    recipe: Recipe
    options: RunOptions
    process: Process
    schedule: Schedule
    settings: dict[str, Any]
    start_loss: float | None = None

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.process.device

    @property
    def num_steps(self) -> int:
        """Optimizer steps of the whole run."""
        return max(1, round(self.recipe.epochs * self.order.steps_per_epoch))

    def lr(self, step: int) -> float:
        """Learning rate of a step."""
        return self.schedule(self.recipe, step, self.num_steps, self.order.steps_per_epoch)


def make_run(
    objective: Objective,
    model: nn.Module,
    *,
    videos: Sequence[TrainingVideo],
    source: ClipSource,
    augmentation: Augmentation,
    symmetries: Symmetries,
    recipe: Recipe,
    options: RunOptions,
    process: Process,
    config: HieraConfig,
    settings: dict[str, Any],
    start_loss: float | None = None,
) -> Run:
    """Put a run on clips together; `settings` are the facts that a continued run must repeat."""
    clips = TrainingClips(
        videos,
        source,
        augmentation=augmentation,
        symmetries=symmetries,
        repeats=recipe.repeats,
        seed=options.seed,
        input_size=config.input_size,
    )
    return assemble_run(
        objective,
        model,
        samples=clips,
        num_samples=len(videos),
        recipe=recipe,
        schedule=cosine,
        options=options,
        process=process,
        config=config,
        settings={"videos": len(videos), **settings},
        start_loss=start_loss,
    )


def assemble_run(
    objective: Objective,
    model: nn.Module,
    *,
    samples: Samples,
    num_samples: int,
    recipe: Recipe,
    schedule: Schedule,
    options: RunOptions,
    process: Process,
    config: HieraConfig,
    settings: dict[str, Any],
    start_loss: float | None = None,
) -> Run:
    """Put a run together; `settings` are the facts that a continued run must repeat."""
    order = Order(
        num_samples=num_samples,
        batch_size=recipe.batch_size,
        repeats=recipe.repeats,
        num_parts=options.accumulate,
        rank=process.rank,
        world_size=process.world_size,
        seed=options.seed,
    )
    state = TrainingState(
        model,
        make_optimizer(model, recipe, num_blocks=sum(config.stages)),
        scaler=torch.amp.GradScaler(process.device.type, enabled=options.precision == "float16"),
        average=Average(model, recipe.ema_decay) if recipe.ema_decay else None,
    )
    return Run(
        objective=objective,
        state=state,
        samples=samples,
        order=order,
        recipe=recipe,
        schedule=schedule,
        options=options,
        process=process,
        settings={"seed": options.seed, **asdict(recipe), **settings},
        start_loss=start_loss,
    )
