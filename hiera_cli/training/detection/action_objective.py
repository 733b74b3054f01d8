"""What an action detector minimises and is measured by: binary cross entropy, frame mAP."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hiera_cli.checkpoints.open import LoadedModel, save_model
from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.datasets.keyframes import KeyFrameDataset
from hiera_cli.detection.ava_evaluation import ScoredFrame, score_key_frames, summarise
from hiera_cli.errors import Failure
from hiera_cli.model.hiera import Hiera
from hiera_cli.training.data.batches import normalised
from hiera_cli.training.data.samples import SampleBatch
from hiera_cli.training.detection.held_out import at_work, of_all
from hiera_cli.training.distributed import Process
from hiera_cli.training.records import DetectionValidation
from hiera_cli.video.info import Limits

MANY_KEY_FRAMES = 5000
SECONDS_APART = 4  # of many key frames, SlowFast validates on those at whole multiples


class ActionObjective:
    """The objective of action detection.

    Args:
        data: the actions.
        preprocessing: of the pixels.
        validation: held-out key frames; None: none.
        limits: what reading a file may cost.
        isolate: decode in a process that can be killed.
        process: which share of the validation is this process's, and where its model is.
    """

    def __init__(
        self,
        data: KeyFrameDataset,
        preprocessing: Preprocessing,
        *,
        validation: KeyFrameDataset | None,
        limits: Limits,
        isolate: bool,
        process: Process,
    ) -> None:
        self._data, self._preprocessing = data, preprocessing
        self._validation = None if validation is None else thinned(validation)
        self._limits, self._isolate, self._process = limits, isolate, process

    def loss(self, forward: nn.Module, batch: SampleBatch) -> Tensor:
        """Binary cross entropy (), the mean over all boxes and actions; 0 without a box."""
        pixels = torch.stack([sample.pixels for sample in batch.samples])
        boxes = [sample.boxes for sample in batch.samples]
        targets = torch.cat([sample.targets for sample in batch.samples])
        logits = forward(normalised(pixels, self._preprocessing), boxes).float()
        summed = F.binary_cross_entropy_with_logits(logits, targets, reduction="sum")
        return summed / max(1, targets.numel())

    def visible_tokens(self, num_clips: int) -> int:
        """Of no interest: every token is visible."""
        return 0 * num_clips

    def trivial(self) -> None:
        """Nothing to compare with."""

    def validate(self, model: nn.Module) -> DetectionValidation | None:
        """Frame mAP on the whole frames; None without held-out key frames."""
        if self._validation is None:
            return None
        network = cast(Hiera, model)
        with at_work(network):
            found = self._score(network, share_of(self._validation, self._process))
        scored, num_failed = of_all(found)
        scores = summarise(self._validation, scored, view="whole", num_failed=num_failed, model="")
        mean_ap = scores.mean_ap or 0.0
        return DetectionValidation(mean_ap, mean_ap, len(scored), num_failed)

    def _score(self, model: Hiera, data: KeyFrameDataset) -> "list[ScoredFrame | Failure]":
        loaded = LoadedModel(
            model,
            name="",
            preprocessing=self._preprocessing,
            labels=self._data.actions,
            weights_path=None,
            checkpoint="",
        )
        records = score_key_frames(
            loaded, data, view="whole", limits=self._limits, isolate=self._isolate
        )
        return list(records)

    def save(self, folder: Path, model: nn.Module) -> None:
        """Write the network as a model folder."""
        save_model(
            folder,
            cast(Hiera, model),
            labels=self._data.actions,
            preprocessing=self._preprocessing,
            extra={"task": "detection", "action_ids": list(self._data.action_ids)},
        )

    save_result = save


def thinned(data: KeyFrameDataset) -> KeyFrameDataset:
    """Every fourth second of a data set with thousands of key frames; else all of it."""
    if len(data.frames) < MANY_KEY_FRAMES:
        return data
    kept = [frame for frame in data.frames if frame.timestamp % SECONDS_APART == 0]
    return replace(data, frames=tuple(kept))


def share_of(data: KeyFrameDataset, process: Process) -> KeyFrameDataset:
    """The key frames of every n-th video, where n processes measure."""
    videos = sorted({frame.video for frame in data.frames})
    mine = set(videos[process.rank :: process.world_size])
    return replace(data, frames=tuple(frame for frame in data.frames if frame.video in mine))
