"""Train-time augmentation: random crops, RandAugment and erasing, one draw a clip.

All frames of a clip get the same change, so that motion stays what it was. Everything random is
drawn from the generator that is passed in.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

ASPECT_RANGE = (3 / 4, 4 / 3)
ERASED_AREA_RANGE = (0.02, 1 / 3)
ERASED_ASPECT_RANGE = (0.3, 1 / 0.3)
NUM_CROP_ATTEMPTS = 10
GRAY = 115.0  # 0.45 · 255, the mean of video pixels
NOISE = 57.0  # 0.225 · 255, their standard deviation
RAND_AUGMENT_LEVELS = 31


@dataclass(frozen=True, slots=True)
class Augmentation:
    """What may happen to a training clip.

    Attributes:
        size: height and width of the crop in pixels.
        min_area: smallest share of the frame that a crop may cover; 1: always a full side.
        magnitude: RandAugment's strength from 0 (off) to 10.
        magnitude_std: spread of that strength from clip to clip.
        erase: probability that a box of the clip is replaced by noise.
        bicubic: resize with antialiased bicubic filters (image models) instead of bilinear.
        squash: crops have the frame's aspect ratio, give or take, before they are made square.
    """

    size: int
    min_area: float = 0.5
    magnitude: float = 0.0
    magnitude_std: float = 0.5
    erase: float = 0.0
    bicubic: bool = False
    squash: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """Part of a frame, as fractions of its height and width."""

    top: float
    left: float
    height: float
    width: float


WHOLE = Box(0.0, 0.0, 1.0, 1.0)


def draw_box(
    height: int,
    width: int,
    *,
    area_range: tuple[float, float],
    aspect_range: tuple[float, float],
    rng: np.random.Generator,
) -> Box:
    """A box of random area, aspect ratio and place; the rule of torchvision's RandomResizedCrop.

    When no draw fits, the largest centered box with an allowed aspect ratio.
    """
    low, high = math.log(aspect_range[0]), math.log(aspect_range[1])
    for _ in range(NUM_CROP_ATTEMPTS):
        area = rng.uniform(*area_range) * height * width
        aspect = math.exp(rng.uniform(low, high))
        w, h = math.sqrt(area * aspect), math.sqrt(area / aspect)
        if w <= width and h <= height:
            top, left = rng.uniform(0, height - h), rng.uniform(0, width - w)
            return Box(top / height, left / width, h / height, w / width)
    return _largest_centered(height, width, aspect_range)


def _largest_centered(height: int, width: int, aspect_range: tuple[float, float]) -> Box:
    h = min(height, width / aspect_range[0])
    w = min(width, height * aspect_range[1])
    return Box((height - h) / 2 / height, (width - w) / 2 / width, h / height, w / width)


def resized_crop(
    frames: npt.NDArray[np.uint8], box: Box, *, size: tuple[int, int], bicubic: bool = False
) -> Tensor:
    """The box of uint8 frames (T, H, W, 3), resized to (height, width): uint8 (3, T, h, w)."""
    height, width = frames.shape[1:3]
    top, left = int(box.top * height), int(box.left * width)
    bottom = max(top + 1, min(height, round((box.top + box.height) * height)))
    right = max(left + 1, min(width, round((box.left + box.width) * width)))
    cut = torch.from_numpy(np.ascontiguousarray(frames[:, top:bottom, left:right]))
    resized = F.interpolate(
        cut.permute(0, 3, 1, 2).float(),
        size=size,
        mode="bicubic" if bicubic else "bilinear",
        antialias=bicubic,
        align_corners=False,
    )
    return resized.round_().clamp_(0, 255).to(torch.uint8).transpose(0, 1)


class RandomCrop:
    """The random crop of one training clip: drawn at its first frame, then the same for all."""

    def __init__(self, augmentation: Augmentation, rng: np.random.Generator) -> None:
        self._augmentation = augmentation
        self._rng = rng
        self._box: Box | None = None

    def __call__(self, frames: npt.NDArray[np.uint8]) -> Tensor:
        """Crop uint8 frames (T, H, W, 3) to uint8 (3, T, size, size)."""
        chosen = self._augmentation
        if self._box is None:
            self._box = draw_box(
                *((1, 1) if chosen.squash else frames.shape[1:3]),
                area_range=(chosen.min_area, 1.0),
                aspect_range=ASPECT_RANGE,
                rng=self._rng,
            )
        size = (chosen.size, chosen.size)
        return resized_crop(frames, self._box, size=size, bicubic=chosen.bicubic)


def augment_clip(clip: Tensor, augmentation: Augmentation, *, rng: np.random.Generator) -> Tensor:
    """RandAugment and erase a cropped clip, uint8 (3, T, S, S) in and out."""
    erases = rng.random()
    if augmentation.magnitude > 0:
        clip = rand_augment(
            clip, magnitude=augmentation.magnitude, std=augmentation.magnitude_std, rng=rng
        )
    if erases < augmentation.erase:
        clip = erase(clip, rng=rng)
    return clip


def rand_augment(clip: Tensor, *, magnitude: float, std: float, rng: np.random.Generator) -> Tensor:
    """Two random colour or geometry changes, the same for all frames; uint8 (3, T, S, S).

    The strength is drawn around `magnitude` (0 to 10, as in timm's `rand-m7-mstd0.5`) and mapped
    to torchvision's 31 levels.
    """
    from torchvision.transforms import v2

    drawn = min(max(rng.normal(magnitude, std), 0.0), 10.0)
    level = round(drawn / 10 * (RAND_AUGMENT_LEVELS - 1))
    change = v2.RandAugment(
        num_ops=2, magnitude=level, num_magnitude_bins=RAND_AUGMENT_LEVELS, fill=GRAY
    )
    with torch.random.fork_rng(devices=[]):  # torchvision draws from torch's global generator
        torch.manual_seed(int(rng.integers(2**63)))
        changed: Tensor = change(clip.transpose(0, 1))
    return changed.transpose(0, 1)


def erase(clip: Tensor, *, rng: np.random.Generator) -> Tensor:
    """Replace one random box, the same in all frames, by noise; uint8 (3, T, S, S)."""
    channels, num_frames, height, width = clip.shape
    box = draw_box(
        height,
        width,
        area_range=ERASED_AREA_RANGE,
        aspect_range=ERASED_ASPECT_RANGE,
        rng=rng,
    )
    top, left = int(box.top * height), int(box.left * width)
    h, w = max(1, int(box.height * height)), max(1, int(box.width * width))
    noise = rng.normal(GRAY, NOISE, size=(channels, num_frames, h, w)).clip(0, 255)
    erased = clip.clone()
    erased[:, :, top : top + h, left : left + w] = torch.from_numpy(noise).to(torch.uint8)
    return erased
