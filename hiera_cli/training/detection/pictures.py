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
from torchvision.ops import masks_to_boxes

from hiera_cli.datasets.coco import BoxPicture
from hiera_cli.detection.masks import masks_of
from hiera_cli.errors import Failure, MediaError
from hiera_cli.model.box_detector import Target
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
        masks: (N, height, width) bool; None: they are not learnt.
    """

    pixels: Tensor
    boxes: Tensor
    labels: Tensor
    masks: Tensor | None = None

    def to(self, device: torch.device) -> Self:
        """The sample on the device."""
        return replace(
            self,
            pixels=self.pixels.to(device),
            boxes=self.boxes.to(device),
            labels=self.labels.to(device),
            masks=None if self.masks is None else self.masks.to(device),
        )

    @property
    def target(self) -> Target:
        """What the detector should find."""
        target = {"boxes": self.boxes, "labels": self.labels}
        return target if self.masks is None else target | {"masks": self.masks}


@dataclass(frozen=True, slots=True)
class Jitter:
    """How training pictures are changed.

    Attributes:
        size: side of the square input in pixels.
        min_scale, max_scale: of the picture, where 1 just fits.
        flip: whether half of them are mirrored.
        masks: whether masks follow.
    """

    size: int
    min_scale: float = 0.1
    max_scale: float = 2.0
    flip: bool = True
    masks: bool = False


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
        masks = torch.zeros(0, *pixels.shape[1:], dtype=torch.bool) if self.jitter.masks else None
        return SampleBatch((BoxSample(pixels, torch.zeros(0, 4), nothing, masks),))

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
    labels = torch.tensor([b.label_index + 1 for b in picture.boxes if not b.is_crowd]).long()
    factor = jitter.size / max(rgb.shape[:2]) * rng.uniform(jitter.min_scale, jitter.max_scale)
    resized = resize(rgb, factor)
    scaled = torch.tensor(boxes, dtype=torch.float32).view(-1, 4)
    high, wide = resized.shape[1:]
    scaled *= torch.tensor([wide / picture.width, high / picture.height] * 2)
    top, left = (int(rng.integers(max(0, s - jitter.size) + 1)) for s in (high, wide))
    pixels = resized[:, top : top + jitter.size, left : left + jitter.size]
    scaled -= torch.tensor([left, top] * 2)
    masks = None
    if jitter.masks:
        rows, columns = torch.arange(pixels.shape[1]) + top, torch.arange(pixels.shape[2]) + left
        masks = _masks_at(picture, (rows + 0.5) / high, (columns + 0.5) / wide)
    if jitter.flip and rng.random() < 0.5:
        pixels = pixels.flip(-1)
        scaled[:, [0, 2]] = pixels.shape[-1] - scaled[:, [2, 0]]
        masks = None if masks is None else masks.flip(-1)
    return _inside(BoxSample(pixels, scaled, labels, masks))


def _masks_at(picture: BoxPicture, rows: Tensor, columns: Tensor) -> Tensor:
    """The masks (N, H, W) of a picture at rows (H,) and columns (W,), as shares of its sides."""
    masks = torch.from_numpy(masks_of(picture))
    rows, columns = (rows * picture.height).long(), (columns * picture.width).long()
    return masks[:, rows[:, None], columns[None]]


def _inside(sample: BoxSample) -> BoxSample:
    """What a crop shows of its things: boxes end at its edges, those that it cuts with the mask."""
    height, width = sample.pixels.shape[1:]
    boxes = torch.minimum(sample.boxes.clamp(min=0), torch.tensor([width, height] * 2))
    masks = sample.masks
    if masks is not None:
        cut = (boxes != sample.boxes).any(1) & masks.flatten(1).any(1)
        around = masks_to_boxes(masks[cut])
        around[:, 2:] += 1  # from the last pixel to its end
        boxes[cut] = torch.cat([torch.maximum(boxes[cut, :2], around[:, :2]),
                                torch.minimum(boxes[cut, 2:], around[:, 2:])], dim=1)  # fmt: skip
    kept = (boxes[:, 2:] - boxes[:, :2] >= MIN_SIDE).all(1)
    if masks is not None:
        kept &= masks.flatten(1).any(1)
        masks = masks[kept]
    return BoxSample(sample.pixels, boxes[kept], sample.labels[kept], masks)


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
