"""What fine-tuning minimises and measures: soft cross entropy, top-1 and top-5."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hiera_cli.checkpoints.open import save_model
from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.model.hiera import Hiera
from hiera_cli.training.data.batches import (
    TrainingBatch,
    TrainingVideo,
    ValidationClips,
    normalised,
    validation_batches,
)
from hiera_cli.training.data.clips import ClipSource
from hiera_cli.training.data.mixing import Mixing, mix
from hiera_cli.training.distributed import Process, gather_objects, sum_over_processes
from hiera_cli.training.objectives.temperature import fit_temperature, with_temperature
from hiera_cli.training.records import Validation

TOP_K = 5
VALIDATION_BATCH = 32


class ClassificationObjective:
    """The objective of fine-tuning.

    Args:
        classes: names in the order of the logits.
        preprocessing: of the pixels.
        mixing: of clips and targets.
        validation: held-out videos, and how their clips are read.
        source: how clips come out of files.
        workers: decoding processes of the validation.
        class_weights: (K,) factors on the classes' shares of the loss; None: all 1.
        calibrate: divide the result's logits by the temperature that fits the held-out videos.
        process: which share of the validation is this process's, and where its model is.
    """

    def __init__(
        self,
        classes: Sequence[str],
        preprocessing: Preprocessing,
        mixing: Mixing,
        *,
        validation: Sequence[TrainingVideo],
        source: ClipSource,
        workers: int,
        class_weights: Sequence[float] | None = None,
        calibrate: bool = False,
        process: Process,
    ) -> None:
        self._classes = tuple(classes)
        self._preprocessing = preprocessing
        self._mixing = mixing
        self._validation = ValidationClips(validation, source)
        self._workers = workers
        self._class_weights = None
        if class_weights is not None:
            self._class_weights = torch.tensor(class_weights, device=process.device)
        self._calibrate = calibrate
        self._temperature = 1.0
        self._process = process

    def loss(self, forward: nn.Module, batch: TrainingBatch) -> Tensor:
        """Cross entropy with soft targets, () float32, mean over the clips."""
        pixels = normalised(batch.pixels, self._preprocessing)
        pixels, targets = mix(
            pixels, batch.targets, self._mixing, seeds=batch.seeds, places=batch.places
        )
        logits: Tensor = forward(pixels)
        return F.cross_entropy(logits.float(), targets, weight=self._class_weights)

    def visible_tokens(self, num_clips: int) -> int:
        """Of no interest: every token is visible."""
        return 0 * num_clips

    def trivial(self) -> None:
        """Chance is one in as many as there are classes: nothing to measure."""

    @torch.no_grad()
    def validate(self, model: nn.Module) -> Validation | None:
        """Loss and accuracy on the center view of each held-out video; None without any."""
        if not self._validation:
            return None
        indices = range(self._process.rank, len(self._validation), self._process.world_size)
        batches = validation_batches(
            self._validation,
            indices,
            batch_size=VALIDATION_BATCH,
            workers=self._workers,
        )
        sums = torch.zeros(5, dtype=torch.float64)  # loss, top-1, top-5, videos, failures
        answers = []
        was_training = model.training
        model.eval()
        for batch in batches:
            measured, logits = self._measure(model, batch)
            sums += measured
            answers.append((logits, batch.targets[: len(logits)]))
        model.train(was_training)
        if self._calibrate:
            self._temperature = _common_temperature(answers)
        sums = sum_over_processes(sums.to(self._process.device))
        loss, top1, top5, num_videos, num_failed = sums.tolist()
        seen = max(num_videos, 1.0)
        return Validation(loss / seen, top1 / seen, top5 / seen, int(num_videos), int(num_failed))

    def _measure(self, model: nn.Module, batch: TrainingBatch) -> tuple[Tensor, Tensor]:
        """Sums over one batch, (5,) float64: loss, top-1, top-5, videos, failures; the logits."""
        if not len(batch):
            nothing = torch.zeros(0, len(self._classes))
            return torch.tensor([0.0, 0.0, 0.0, 0.0, len(batch.failures)]).double(), nothing
        here = batch.to(self._process.device)
        logits = model(normalised(here.pixels, self._preprocessing)).float()
        loss = F.cross_entropy(logits, here.targets, reduction="sum")
        best = logits.topk(min(TOP_K, logits.shape[1]), dim=1).indices
        hits = best == here.targets[:, None]
        counts = [loss, hits[:, 0].sum(), hits.sum(), len(batch), len(batch.failures)]
        return torch.tensor([float(value) for value in counts]).double(), logits.cpu()

    def save_result(self, folder: Path, model: nn.Module) -> None:
        """As `save`, with the temperature of the last validation in the head."""
        cooled = with_temperature(cast(Hiera, model), self._temperature)
        save_model(
            folder,
            cooled,
            labels=self._classes,
            preprocessing=self._preprocessing,
            extra={"temperature": round(self._temperature, 4)} if self._calibrate else {},
        )

    def save(self, folder: Path, model: nn.Module) -> None:
        """Write config.json, with the class names, and model.safetensors."""
        network = cast(Hiera, model)
        save_model(
            folder, network, labels=self._classes, preprocessing=self._preprocessing, extra={}
        )


def _common_temperature(answers: list[tuple[Tensor, Tensor]]) -> float:
    """The temperature of all processes' logits and targets; 1 where there are none."""
    everywhere = [pair for pairs in gather_objects(answers) for pair in pairs]
    if not any(len(targets) for _, targets in everywhere):
        return 1.0
    logits, targets = (torch.cat(parts) for parts in zip(*everywhere, strict=True))
    return fit_temperature(logits, targets)
