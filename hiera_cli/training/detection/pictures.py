"""Pictures with boxes as a detector learns from them: large-scale jitter, crop and mirror.

Detectron2's recipe (`ResizeScale`, `FixedSizeCrop`): the picture is fitted into the square input,
enlarged or shrunk by a random factor, and a random part of it is taken, padded below and on the
right where it is smaller.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from hiera_cli.datasets.coco import BoxPicture
from hiera_cli.errors import Failure, MediaError
from hiera_cli.training.data.order import Draw, visit_rng
from hiera_cli.training.data.samples import SampleBatch
from hiera_cli.video.info import Limits
from hiera_cli.video.pictures import read_picture

MIN_SIDE = 1.0  # pixels that must be left of a box


@dataclass(frozen=True, eq=False, slots=True)
class BoxSample:
    """A picture as the detector takes it.

    Attributes:
        pixels: (3, height, width) uint8, at most the square input.
        boxes: (N, 4) float32, corners in pixels.
        labels: (N,) int64, from 1.
    """

    pixels: Tensor
    boxes: Tensor
    labels: Tensor

    def to(self, device: torch.device) -> Self:
        """The sample on the device."""
        return replace(
            self,
            pixels=self.pixels.to(device),
            boxes=self.boxes.to(device),
            labels=self.labels.to(device),
        )


@dataclass(frozen=True, slots=True)
class Jitter:
    """How training pictures are changed.

    Attributes:
        size: side of the square input in pixels.
        min_scale, max_scale: of the picture, where 1 just fits.
        flip: whether half of them are mirrored.
    """

    size: int
    min_scale: float = 0.1
    max_scale: float = 2.0
    flip: bool = True


@dataclass(frozen=True, eq=False, slots=True)
class PictureSamples:
    """The pictures of a COCO file.

    Attributes:
        pictures: with their boxes.
        jitter: how they are changed.
        seed: of all that is drawn.
        limits: what reading a file may cost.
    """

    pictures: tuple[BoxPicture, ...]
    jitter: Jitter
    seed: int
    limits: Limits

    @property
    def unit(self) -> str:
        """What is counted."""
        return "pictures"

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, draw: Draw) -> BoxSample | Failure:
        """A jittered picture with its boxes."""
        picture = self.pictures[draw.sample_index]
        try:
            rgb = read_picture(picture.path, limits=self.limits)
        except MediaError as error:
            return Failure(picture.path, error.kind, error.message)
        return jittered(rgb, picture, self.jitter, visit_rng(self.seed, draw, 0))

    def collate(self, visits: Sequence[BoxSample | Failure]) -> SampleBatch:
        """Samples and failures."""
        return SampleBatch.of(visits)

    def blank(self) -> SampleBatch:
        """A black picture without boxes."""
        pixels = torch.zeros(3, self.jitter.size, self.jitter.size, dtype=torch.uint8)
        nothing = torch.zeros(0, dtype=torch.int64)
        return SampleBatch((BoxSample(pixels, torch.zeros(0, 4), nothing),))

    def close(self) -> None:
        """Nothing is kept open."""


def resize(rgb: npt.NDArray[np.uint8], factor: float) -> Tensor:
    """(H, W, 3) uint8 to (3, h, w) uint8, antialiased bilinear."""
    height, width = (max(1, round(side * factor)) for side in rgb.shape[:2])
    pixels = torch.from_numpy(rgb).permute(2, 0, 1)[None].float()
    resized = F.interpolate(pixels, size=(height, width), mode="bilinear", antialias=True)
    return resized[0].round().clamp(0, 255).to(torch.uint8)


def jittered(
    rgb: npt.NDArray[np.uint8], picture: BoxPicture, jitter: Jitter, rng: np.random.Generator
) -> BoxSample:
    """A random part of a picture at a random size, and what is left of its boxes in it.

    Crowds are not learnt from.
    """
    boxes = [(b.x1, b.y1, b.x2, b.y2) for b in picture.boxes if not b.is_crowd]
    labels = [b.label_index + 1 for b in picture.boxes if not b.is_crowd]
    factor = jitter.size / max(rgb.shape[:2]) * rng.uniform(jitter.min_scale, jitter.max_scale)
    pixels = resize(rgb, factor)
    scaled = torch.tensor(boxes, dtype=torch.float32).view(-1, 4)
    scaled *= torch.tensor([pixels.shape[2] / picture.width, pixels.shape[1] / picture.height] * 2)
    top, left = (int(rng.integers(max(0, s - jitter.size) + 1)) for s in pixels.shape[1:])
    pixels = pixels[:, top : top + jitter.size, left : left + jitter.size]
    scaled -= torch.tensor([left, top] * 2)
    if jitter.flip and rng.random() < 0.5:
        pixels = pixels.flip(-1)
        scaled[:, [0, 2]] = pixels.shape[-1] - scaled[:, [2, 0]]
    height, width = pixels.shape[1:]
    scaled = torch.minimum(scaled.clamp(min=0), torch.tensor([width, height] * 2))
    left_over = (scaled[:, 2:] - scaled[:, :2] >= MIN_SIDE).all(1)
    return BoxSample(pixels, scaled[left_over], torch.tensor(labels).long()[left_over])


def stack(samples: list[Tensor], size: int, mean: Tensor, std: Tensor) -> Tensor:
    """Pictures (3, h, w) uint8 to (B, 3, size, size), normalised float, padded with zeros.

    Args:
        samples: at most `size` high and wide.
        size: side of the square.
        mean: (3, 1, 1) on values in 0..1; the result is on its device.
        std: as `mean`.
    """
    out = torch.zeros(len(samples), 3, size, size, device=mean.device)
    for row, pixels in zip(out, samples, strict=True):
        height, width = pixels.shape[1:]
        row[:, :height, :width] = (pixels.to(mean.device).float() / 255 - mean) / std
    return out
