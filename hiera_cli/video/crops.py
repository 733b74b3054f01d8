"""From a decoded frame to the square crops that a model sees.

The arithmetic is SlowFast's: the short side is resized bilinearly without antialiasing, in
floating point, then squares are cut out (PROTOCOL.md, "Spatial crops"). Values keep the range
0 to 255; the model normalises them.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from hiera_cli.errors import MediaError
from hiera_cli.video.size import resized_size

MAX_RESIZED_PIXELS = 2**25
Interpolation = Literal["bilinear", "bicubic"]
Crops = tuple[torch.Tensor, ...]
"""The crops of one frame, each (C, S, S) float32 in 0..255."""


@dataclass(frozen=True, slots=True)
class CropPlan:
    """How squares are cut from every frame of a video.

    Attributes:
        short_side: length that the shorter side is resized to, in pixels.
        crop_size: side of the square crops, in pixels.
        num_crops: 1 for the center, 3 for left/center/right (top/center/bottom when tall).
        interpolation: `bilinear` without antialiasing (video), `bicubic` with (images).
    """

    short_side: int
    crop_size: int
    num_crops: int
    interpolation: Interpolation = "bilinear"


def crop_offsets(height: int, width: int, plan: CropPlan) -> tuple[tuple[int, int], ...]:
    """(top, left) of each crop in a resized frame."""
    slack_y, slack_x = height - plan.crop_size, width - plan.crop_size
    center = (ceil(slack_y / 2), ceil(slack_x / 2))
    if plan.num_crops == 1:
        return (center,)
    if height > width:
        return (0, center[1]), center, (slack_y, center[1])
    return (center[0], 0), center, (center[0], slack_x)


def crop_frame(rgb: npt.NDArray[np.uint8], plan: CropPlan) -> Crops:
    """Frame (H, W, C) uint8 -> a crop (C, crop, crop) float32 in 0..255 for each of num_crops.

    Three crops overlap, so they are views of one resized frame; a single one is a copy.

    Raises:
        MediaError: a shape so extreme that the resized frame would not fit in memory.
    """
    height, width = resized_size(rgb.shape[0], rgb.shape[1], plan.short_side)
    offsets = crop_offsets(height, width, plan)
    frame, side = torch.from_numpy(rgb), plan.crop_size
    if plan.interpolation == "bilinear" and max(height, width) > 4 * plan.short_side:
        return tuple(_resize_window(frame, height, width, y, x, side) for y, x in offsets)
    resized = _resize(frame[None], height, width, plan.interpolation)[0]
    crops = tuple(resized[:, y : y + side, x : x + side] for y, x in offsets)
    return crops if len(crops) > 1 else (crops[0].contiguous(),)


def crop_frames(frames: torch.Tensor, plan: CropPlan) -> Crops:
    """As `crop_frame` of each, on whatever device they are: (T, H, W, C) uint8 -> (T, C, S, S).

    Raises:
        MediaError: a shape so extreme that the resized frames would not fit in memory.
    """
    height, width = resized_size(frames.shape[1], frames.shape[2], plan.short_side)
    resized = _resize(frames, height, width, plan.interpolation)
    side = plan.crop_size
    return tuple(
        resized[..., y : y + side, x : x + side] for y, x in crop_offsets(height, width, plan)
    )


def _resize(frames: torch.Tensor, height: int, width: int, mode: Interpolation) -> torch.Tensor:
    """Frames (T, H, W, C) uint8 -> (T, C, height, width) float32 in 0..255."""
    pixels = frames.permute(0, 3, 1, 2).float()
    if pixels.shape[2:] == (height, width):
        return pixels
    if height * width > MAX_RESIZED_PIXELS:
        raise MediaError("too_large", f"resized to {width}x{height} pixels")
    antialias = mode == "bicubic"
    resized = F.interpolate(
        pixels, size=(height, width), mode=mode, align_corners=False, antialias=antialias
    )
    return resized.clamp_(0, 255) if mode == "bicubic" else resized


def _resize_window(
    frame: torch.Tensor, height: int, width: int, top: int, left: int, side: int
) -> torch.Tensor:
    """The square at (top, left) of the frame resized to (height, width): (C, side, side) float32.

    For very long frames: nothing outside the square is computed.
    """
    rows = _taps(frame.shape[0], height, top, side)
    columns = _taps(frame.shape[1], width, left, side)
    first, end = int(columns.low[0]), int(columns.high[-1]) + 1
    strip = frame[:, first:end]
    above, below = strip[rows.low].float(), strip[rows.high].float()
    lines = torch.lerp(above, below, rows.weight[:, None, None])
    before, after = lines[:, columns.low - first], lines[:, columns.high - first]
    return torch.lerp(before, after, columns.weight[None, :, None]).permute(2, 0, 1)


class _Taps(NamedTuple):
    """Which two source samples make up each output sample, and the share of the second."""

    low: torch.Tensor
    high: torch.Tensor
    weight: torch.Tensor


@lru_cache(maxsize=64)
def _taps(source: int, target: int, start: int, count: int) -> _Taps:
    """Bilinear taps of outputs start..start+count-1 when `source` samples become `target`."""
    centers = torch.arange(start, start + count, dtype=torch.float32) + 0.5
    scale = torch.tensor(source, dtype=torch.float32) / target
    positions = (centers * scale - 0.5).clamp_(min=0)
    low = positions.long().clamp_(max=source - 1)
    return _Taps(low, (low + 1).clamp_(max=source - 1), positions - low)
