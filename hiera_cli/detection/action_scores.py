"""A trained action detector at work: clips and boxes in, a score for every action out.

The view is either the center crop (the Hiera paper's) or the whole frame (SlowFast's test split),
for which the network is laid out anew at the frame's shape, rounded to whole mask units.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from hiera_cli.checkpoints.open import LoadedModel
from hiera_cli.detection.moments import Floats, Moment, clips_at
from hiera_cli.detection.whole_frames import WholeFrames
from hiera_cli.errors import UsageError
from hiera_cli.model.action_head import action_logits
from hiera_cli.model.hiera import Hiera
from hiera_cli.video.clips import ClipReader

View = Literal["center", "whole"]


@dataclass(eq=False)
class ActionScorer:
    """Scores actions in boxes.

    Args:
        loaded: a model that `hiera finetune --task detection` trained.
        view: of the frames.

    Raises:
        UsageError: a model for pictures.
    """

    loaded: LoadedModel
    view: View
    _frames: WholeFrames = field(init=False)

    def __post_init__(self) -> None:
        if not self.loaded.model.config.is_video:
            raise UsageError("actions are told from videos: a video model is needed")
        self._frames = WholeFrames(self.loaded.model)

    def score(self, reader: ClipReader, path: str, moments: Sequence[Moment]) -> Iterator[Floats]:
        """Scores (N, K) in 0..1 of every action in the boxes of each moment, ascending in time.

        Raises:
            MediaError: the file cannot be read.
        """
        clips = clips_at(reader, path, moments, self.loaded.preprocessing)
        with closing(clips):
            for moment, (_, clip) in zip(moments, clips, strict=True):
                yield self._scores(clip, moment.boxes)

    @torch.inference_mode()
    def _scores(self, clip: Tensor, boxes: Floats) -> Floats:
        model, seen, corners = self._seen(clip, torch.from_numpy(boxes))
        device = next(model.parameters()).device
        pixels, shape = self.loaded.preprocessing, (1, 3, 1, 1, 1)
        mean, std = (torch.tensor(v, device=device).view(shape) for v in (pixels.mean, pixels.std))
        batch = (seen.to(device)[None].float() / 255 - mean) / std
        logits = action_logits(model, batch, [corners.float().to(device)])
        scores: Floats = logits.sigmoid().double().cpu().numpy()
        return scores

    def _seen(self, clip: Tensor, boxes: Tensor) -> tuple[Hiera, Tensor, Tensor]:
        """The network, the pixels that it takes, and the boxes in them."""
        height, width = clip.shape[-2:]
        if self.view == "center":
            size = self.loaded.preprocessing.crop_size
            top, left = (height - size) // 2, (width - size) // 2
            corners = boxes * torch.tensor([width, height] * 2) - torch.tensor([left, top] * 2)
            clip = clip[..., top : top + size, left : left + size]
            return self.loaded.model, clip, corners.clamp(0, size - 1)
        model, frames = self._frames.fit(clip)
        rows, columns = frames.shape[-2:]
        return model, frames, boxes * torch.tensor([columns, rows] * 2)
