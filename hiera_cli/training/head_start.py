"""A head to start from: what `hiera fit` would give, put into the network before training."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.heads.choose import choose_features
from hiera_cli.heads.examples import Examples
from hiera_cli.heads.heads import fit_head
from hiera_cli.heads.options import ClassWeights, HeadOptions
from hiera_cli.model.config import SIDE_STAGES
from hiera_cli.model.hiera import Head, Hiera
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
        head_stages: earlier stages that are in these, as in `HieraConfig`.
        loss: mean cross entropy of the clips that it was fitted to.
    """

    head: LinearHead
    head_stages: tuple[int, ...]
    loss: float

    @torch.no_grad()
    def put_into(self, model: Hiera) -> None:
        """Give the network this head, and let it see what the head was fitted to, in place."""
        weight, bias = self.head.weight, self.head.bias
        model.config = replace(model.config, head_stages=self.head_stages)
        model.head = Head(model.config.head_dim, model.config).to(model.norm.weight.device)
        model.head.projection.weight.copy_(weight)
        model.head.projection.bias.copy_(bias)


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

    As `hiera fit`, it sees the side stages where cross-validation says so.

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
    chosen = choose_features(examples, options, last_dim=model.config.stage_dims[-1])
    examples, choice = chosen.examples, chosen.choice
    head = fit_head(examples, choice.setting, balanced=choice.balanced, multi_label=False).head
    assert isinstance(head, LinearHead)
    logits = head.logits(examples.features)
    loss = F.cross_entropy(logits, examples.targets[examples.video_index])
    logger.info(
        "the head starts as %s%s (held-out loss %.3f); --head-start none starts afresh",
        choice.setting,
        ", sees stages 2 and 3 too" if chosen.head_stages else "",
        choice.loss,
    )
    return HeadStart(head, chosen.head_stages, float(loss))


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
    """Side stages and features of all clips that can be read; the training reports the others."""
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    features, indices = list[Tensor](), list[Tensor]()
    for batch in validation_batches(
        clips, range(len(videos)), batch_size=BATCH_VIDEOS, workers=workers
    ):
        if len(batch):
            pixels = normalised(batch.pixels.to(device), preprocessing)
            ends = model.encode(model.embed(pixels))
            features.append(model.pool(ends, SIDE_STAGES).double().cpu())
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
