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
        squash: a single crop is the whole frame made square, instead of its center.
    """

    short_side: int
    crop_size: int
    num_crops: int
    interpolation: Interpolation = "bilinear"
    squash: bool = False

    def resized(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) that a frame is resized to before crops are cut."""
        if self.squash and self.num_crops == 1:
            return self.crop_size, self.crop_size
        return resized_size(height, width, self.short_side)


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

    Three crops overlap, so they are views of one resized frame.

    Raises:
        MediaError: a shape so extreme that the resized frame would not fit in memory.
    """
    height, width = plan.resized(rgb.shape[0], rgb.shape[1])
    offsets = crop_offsets(height, width, plan)
    frame, side = torch.from_numpy(rgb), plan.crop_size
    if plan.interpolation == "bicubic":
        resized = _resize(frame[None], height, width, plan.interpolation)[0]
        crops = tuple(resized[:, y : y + side, x : x + side] for y, x in offsets)
        return crops if len(crops) > 1 else (crops[0].contiguous(),)
    grid = _Grid(rgb.shape[0], rgb.shape[1], height, width)
    if len(offsets) == 1 or max(height, width) > 4 * plan.short_side:
        return tuple(_bilinear(frame, grid, y, x, (side, side)) for y, x in offsets)
    (top, left), (bottom, right) = offsets[0], offsets[-1]
    window = _bilinear(frame, grid, top, left, (bottom - top + side, right - left + side))
    return tuple(
        window[:, y - top : y - top + side, x - left : x - left + side] for y, x in offsets
    )


def crop_frames(frames: torch.Tensor, plan: CropPlan) -> Crops:
    """As `crop_frame` of each, on whatever device they are: (T, H, W, C) uint8 -> (T, C, S, S).

    Raises:
        MediaError: a shape so extreme that the resized frames would not fit in memory.
    """
    height, width = plan.resized(frames.shape[1], frames.shape[2])
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
    resized = F.interpolate(
        pixels,
        size=(height, width),
        mode=mode,
        align_corners=False,
        antialias=mode == "bicubic",
    )
    return resized.clamp_(0, 255) if mode == "bicubic" else resized


class _Grid(NamedTuple):
    """The size of a frame, and the one that it is resized to."""

    source_height: int
    source_width: int
    height: int
    width: int


def _bilinear(
    frame: torch.Tensor, grid: _Grid, top: int, left: int, size: tuple[int, int]
) -> torch.Tensor:
    """The window of that size at (top, left) of the resized frame: (C, height, width) float32.

    Nothing outside the window is computed. Rows are blended while they are contiguous, columns
    after that: two to four times as fast as `F.interpolate` on three channels that lie side by
    side, and the same to the last two bits. A frame that has its size already is only cut.
    """
    if grid[:2] == grid[2:]:
        window = frame[top : top + size[0], left : left + size[1]].permute(2, 0, 1)
        return window.to(torch.float32, memory_format=torch.contiguous_format)
    channels = frame.shape[2]
    rows = _taps(grid.source_height, grid.height, top, size[0])
    columns = _column_taps(grid.source_width, grid.width, left, size[1], channels)
    lines = frame[:, columns.first : columns.end].flatten(1)
    blended = torch.lerp(
        lines.index_select(0, rows.low).float(),
        lines.index_select(0, rows.high).float(),
        rows.weight[:, None],
    )
    window = torch.lerp(
        blended.index_select(1, columns.low), blended.index_select(1, columns.high), columns.weight
    )
    return window.view(size[0], channels, size[1]).transpose(0, 1)


class _Taps(NamedTuple):
    """Which two source samples make up each output sample, and the share of the second."""

    low: torch.Tensor
    high: torch.Tensor
    weight: torch.Tensor


class _ColumnTaps(NamedTuple):
    """The taps of whole pixels, counted in samples of a line that begins at `first`."""

    first: int
    end: int
    low: torch.Tensor
    high: torch.Tensor
    weight: torch.Tensor


@lru_cache(maxsize=64)
def _taps(source: int, target: int, start: int, count: int) -> _Taps:
    """Bilinear taps of outputs start..start+count-1 when `source` samples become `target`.

    Positions are those of PyTorch: scale and position are float32, the latter rounded once, as
    the fused multiply-add there does (the float64 product of two such numbers is exact).
    """
    scale = np.float64(np.float32(source) / np.float32(target))
    centers = np.arange(start, start + count) + 0.5
    positions = (scale * centers - 0.5).astype(np.float32).clip(0)
    low = np.minimum(positions.astype(np.int64), source - 1)
    weight = positions - low.astype(np.float32)
    return _Taps(*map(torch.from_numpy, (low, np.minimum(low + 1, source - 1), weight)))


@lru_cache(maxsize=64)
def _column_taps(source: int, target: int, start: int, count: int, channels: int) -> _ColumnTaps:
    """As `_taps`, of lines with the channels side by side; the outputs are channel by channel."""
    low, high, weight = _taps(source, target, start, count)
    first, end = int(low[0]), int(high[-1]) + 1
    channel = torch.arange(channels)[:, None]
    low, high = (((tap - first) * channels + channel).flatten() for tap in (low, high))
    return _ColumnTaps(first, end, low, high, weight.repeat(channels))
