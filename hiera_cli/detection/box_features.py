"""Features of the boxes in a video: a clip around each instant, seen whole, and RoIAlign on it."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hiera_cli.detection.moments import Moment, clips_at
from hiera_cli.detection.whole_frames import WholeFrames
from hiera_cli.inference.engine import Engine
from hiera_cli.inference.pixel_model import pixel_model
from hiera_cli.model.box_features import box_features
from hiera_cli.options import Layer, Pool
from hiera_cli.video.clips import ClipReader

Features = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False, slots=True)
class Seen:
    """The boxes of one instant.

    Attributes:
        start_seconds, end_seconds: of the clip around it.
        features: (N, C) float32, or (N, 7, 7, C) unpooled.
    """

    start_seconds: float
    end_seconds: float
    features: Features


@dataclass(eq=False)
class BoxEncoder:
    """Computes features of boxes.

    Args:
        engine: the model, on its device, and how videos are read.
        layer: the stage whose map is looked at.
        pool: over the places of a box.
    """

    engine: Engine
    layer: Layer
    pool: Pool
    _frames: WholeFrames = field(init=False)

    def __post_init__(self) -> None:
        self._frames = WholeFrames(self.engine.loaded.model)
        self._pixels = pixel_model(self.engine.loaded)
        self._pixels.to(next(self.engine.loaded.model.parameters()).device)

    def encode(self, reader: ClipReader, path: str, moments: Sequence[Moment]) -> Iterator[Seen]:
        """The features of each moment's boxes, in order.

        Args:
            reader: decodes.
            path: of the video.
            moments: ascending in time, each with boxes.

        Raises:
            MediaError: the file cannot be read.
        """
        clips = clips_at(reader, path, moments, self.engine.loaded.preprocessing)
        with closing(clips):
            pairs = zip(moments, clips, strict=True)
            while batch := list(islice(pairs, self.engine.loader.batch_size)):
                features = self._features(
                    torch.stack([clip for _, (_, clip) in batch]),
                    [torch.from_numpy(moment.boxes) for moment, _ in batch],
                )
                for (_, (plan, _)), rows in zip(batch, features, strict=True):
                    yield Seen(plan.start_seconds, plan.end_seconds, rows.numpy())

    @torch.inference_mode()
    def _features(self, clips: Tensor, boxes: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Features of boxes, corners (N, 4) as fractions, in clips (B, 3, T, h, w) uint8."""
        model, frames = self._frames.fit(clips)
        if not model.config.is_video:
            frames = frames[:, :, 0]
        rows, columns = frames.shape[-2:]
        size = torch.tensor([columns, rows] * 2)
        device = next(model.parameters()).device
        corners = [(box * size).float().to(device) for box in boxes]
        x = self._pixels.normalise(frames.to(device))
        found = box_features(model, x, corners, layer=self.layer, pool=self.pool)
        return torch.split(found.float().cpu(), [len(box) for box in boxes])
