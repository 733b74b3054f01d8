"""A head to start from: what `hiera fit` would give, put into the network before training."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.heads.choose import choose_setting
from hiera_cli.heads.examples import Examples
from hiera_cli.heads.heads import fit_head
from hiera_cli.heads.options import ClassWeights, HeadOptions
from hiera_cli.model.hiera import Hiera
from hiera_cli.model.logistic import LinearHead
from hiera_cli.training.data.batches import (
    TrainingVideo,
    ValidationClips,
    normalised,
    validation_batches,
)
from hiera_cli.training.data.clips import ClipSource

logger = logging.getLogger("hiera_cli")

CLIPS_OF_A_VIDEO = 5
BATCH_VIDEOS = 8


@dataclass(frozen=True, eq=False, slots=True)
class HeadStart:
    """A fitted head.

    Attributes:
        head: over the network's features.
        loss: mean cross entropy of the clips that it was fitted to.
    """

    head: LinearHead
    loss: float

    @torch.no_grad()
    def put_into(self, model: Hiera) -> None:
        """Give the network this head, in place."""
        model.head.projection.weight.copy_(self.head.weight)
        model.head.projection.bias.copy_(self.head.bias)


def fit_start(
    model: Hiera,
    videos: Sequence[TrainingVideo],
    source: ClipSource,
    *,
    classes: Sequence[str],
    preprocessing: Preprocessing,
    class_weights: ClassWeights,
    workers: int,
    seed: int,
) -> HeadStart:
    """Fit a head to the network's features of the training videos, without augmentation.

    Raises:
        UsageError: classes that nothing can be fitted to, or nothing that could be checked.
    """
    examples = _examples(
        model,
        ValidationClips(videos, source, num_clips=CLIPS_OF_A_VIDEO if source.num_frames > 1 else 1),
        videos,
        classes=classes,
        preprocessing=preprocessing,
        workers=workers,
    )
    options = HeadOptions(class_weights=class_weights, seed=seed)
    choice = choose_setting(examples, options)
    head = fit_head(examples, choice.setting, balanced=choice.balanced, multi_label=False).head
    assert isinstance(head, LinearHead)
    logits = head.logits(examples.features)
    loss = F.cross_entropy(logits, examples.targets[examples.video_index])
    logger.info(
        "the head starts as %s (held-out loss %.3f); --head-start none starts afresh",
        choice.setting,
        choice.loss,
    )
    return HeadStart(head, float(loss))


@torch.no_grad()
def _examples(
    model: Hiera,
    clips: ValidationClips,
    videos: Sequence[TrainingVideo],
    *,
    classes: Sequence[str],
    preprocessing: Preprocessing,
    workers: int,
) -> Examples:
    """Features of all clips that can be read; files that cannot are reported by the training."""
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    features, indices = list[Tensor](), list[Tensor]()
    for batch in validation_batches(
        clips, range(len(videos)), batch_size=BATCH_VIDEOS, workers=workers
    ):
        if len(batch):
            pixels = normalised(batch.pixels.to(device), preprocessing)
            features.append(model.forward_features(pixels).double().cpu())
            indices.append(batch.seeds)
    model.train(was_training)
    found = torch.cat(indices) if indices else torch.zeros(0, dtype=torch.int64)
    present, video_index = torch.unique(found, return_inverse=True)
    order = video_index.argsort(stable=True)
    targets = torch.tensor([videos[index].target for index in present.tolist()])
    return Examples(
        names=tuple(videos[index].path for index in present.tolist()),
        classes=tuple(classes),
        features=torch.cat(features)[order] if features else torch.zeros(0, 1).double(),
        video_index=video_index[order],
        targets=F.one_hot(targets.long(), len(classes)).double(),
        groups=np.arange(len(present)),
    )
