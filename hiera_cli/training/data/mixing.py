"""Mixup and cutmix: pairs of clips blended, and the soft targets that go with them.

Clips at places 2k and 2k + 1 of a batch form a pair and share one draw, which depends on their own
seed only: the result is the same however a batch is divided over processes and parts, and a clip
whose partner could not be read stays as it is.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Mixing:
    """How targets are softened and clips are mixed.

    Attributes:
        num_classes: K.
        smoothing: share of each target that is spread evenly over all classes.
        mixup: parameter of the Beta distribution of the blend; 0: no mixup.
        cutmix: parameter of the Beta distribution of the area cut out; 0: no cutmix. When both
            are on, each pair gets one of the two, with equal chances.
    """

    num_classes: int
    smoothing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0


def mix(
    pixels: Tensor, targets: Tensor, mixing: Mixing, *, seeds: Tensor, places: Tensor
) -> tuple[Tensor, Tensor]:
    """Blend the clips of each pair.

    Args:
        pixels: (B, 3, ..., H, W) float.
        targets: (B,) int64.
        mixing: how.
        seeds: (B,) int64, on the CPU.
        places: (B,) int64, on the CPU: ascending, with gaps where files could not be read.

    Returns:
        Mixed pixels of the same shape, and soft targets (B, K) float32 whose rows sum to 1.
    """
    soft = smooth_targets(targets, mixing)
    if not (mixing.mixup or mixing.cutmix):
        return pixels, soft
    pixels, mixed = pixels.clone(), soft.clone()
    for pair in _pairs(places.tolist()):
        rng = np.random.default_rng(int(seeds[pair.start]))
        share = _mix_pair(pixels[pair], rng, mixing)
        mixed[pair] = share * soft[pair] + (1 - share) * soft[pair].flip(0)
    return pixels, mixed


def _pairs(places: list[int]) -> list[slice]:
    """The rows of each pair that is complete."""
    neighbours = pairwise(places)
    return [
        slice(row, row + 2)
        for row, (place, following) in enumerate(neighbours)
        if place % 2 == 0 and following == place + 1
    ]


def smooth_targets(targets: Tensor, mixing: Mixing) -> Tensor:
    """Class indices (B,) to label-smoothed distributions (B, K) float32."""
    off = mixing.smoothing / mixing.num_classes
    soft = torch.full((len(targets), mixing.num_classes), off, device=targets.device)
    return soft.scatter_(1, targets[:, None], 1 - mixing.smoothing + off)


def _mix_pair(pair: Tensor, rng: np.random.Generator, mixing: Mixing) -> float:
    """Blend two clips (2, 3, ..., H, W) in place; the share that stays of each."""
    use_cutmix = mixing.cutmix > 0 and (not mixing.mixup or rng.random() < 0.5)
    alpha = mixing.cutmix if use_cutmix else mixing.mixup
    share = float(rng.beta(alpha, alpha))
    if not use_cutmix:
        pair.copy_(share * pair + (1 - share) * pair.flip(0))
        return share
    height, width = pair.shape[-2:]
    rows, columns = _cut(height, width, share, rng)
    pair[..., rows, columns] = pair[..., rows, columns].flip(0)
    area: int = (rows.stop - rows.start) * (columns.stop - columns.start)
    return 1 - area / (height * width)


def _cut(height: int, width: int, share: float, rng: np.random.Generator) -> tuple[slice, slice]:
    """A box around a random center that covers `1 - share` of the picture, clipped to it."""
    side = (1 - share) ** 0.5
    return _cut_side(height, side, rng), _cut_side(width, side, rng)


def _cut_side(length: int, share: float, rng: np.random.Generator) -> slice:
    center, half = int(rng.integers(length)), int(length * share) // 2
    return slice(max(0, center - half), min(length, center + half))
