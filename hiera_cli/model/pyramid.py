"""The maps of an encoder's four stages as a feature pyramid, at sizes beyond the trained one.

The first stages attend inside mask units whatever the size. The later ones attend over the whole
picture, which grows with the square of its area: in large pictures they attend in windows as large
as the picture that the network was trained on, but for three blocks of the third stage (the only
reading that gives the FLOPs of the Hiera paper's table 10; the blocks are those of SAM 2.1).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from hiera_cli.errors import UsageError
from hiera_cli.model.config import HieraConfig
from hiera_cli.model.hiera import Encoder
from hiera_cli.model.tokens import reroll

Time = Literal["mean", "middle"]
"""What a video's maps become: their mean over time, or the map in the middle."""

_GLOBAL_BLOCKS = {  # of SAM 2.1, by the number of blocks in each stage
    (1, 2, 7, 2): (5, 7, 9),
    (1, 2, 11, 2): (7, 10, 13),
    (2, 3, 16, 3): (12, 16, 20),
    (2, 6, 36, 4): (23, 33, 43),
}


@dataclass(frozen=True, slots=True)
class Windows:
    """Where the later stages look.

    Attributes:
        units: sides of a window in mask units, height and width.
        global_blocks: blocks that look everywhere nevertheless.
    """

    units: tuple[int, int]
    global_blocks: tuple[int, ...]


def windows_for(config: HieraConfig, trained_size: tuple[int, ...]) -> Windows:
    """Windows as large as the input that the network was trained on, and three global blocks."""
    steps = [s * u for s, u in zip(config.patch_stride, config.mask_unit_size, strict=True)]
    height, width = (size // step for size, step in zip(trained_size, steps, strict=True))
    return Windows((height, width), global_blocks(config.stages))


def global_blocks(stages: tuple[int, ...]) -> tuple[int, ...]:
    """The blocks of stage 3 that look everywhere: its last one and two evenly before it."""
    if stages in _GLOBAL_BLOCKS:
        return _GLOBAL_BLOCKS[stages]
    last, quarter = sum(stages[:3]) - 1, max(1, stages[2] // 4)
    first = sum(stages[:2]) + 1  # the first block attends as the stage before it
    return tuple(max(first, last - k * quarter) for k in (2, 1, 0))


class FeaturePyramid(nn.Module):
    """An encoder whose stage maps come as the channels-first maps that torchvision's parts take.

    Args:
        encoder: of an image or video network.
        windows: for large pictures; None attends as in training.
        time: what becomes of a video's time axis.

    Attributes:
        channels: of each of the four maps, finest first.
        strides: pixels of the input between two positions of each map.
        looks_wide: for each block, whether it attends beyond its mask unit.
    """

    def __init__(
        self, encoder: Encoder, *, windows: Windows | None = None, time: Time = "mean"
    ) -> None:
        super().__init__()
        if windows is not None and encoder.config.is_video:
            raise UsageError("windows in the later stages are for image networks")
        self.encoder = encoder
        self.windows = windows
        self.time = time
        self.looks_wide = tuple(not plan.unit_attention for plan in encoder.config.blocks())
        self.channels = encoder.config.stage_dims
        height = encoder.config.input_size[-2]
        self.strides = tuple(height // grid.size[-2] for grid in encoder.stage_grids)

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, 3, H, W) or (B, 3, T, H, W), normalised float, to four (B, C, H', W')."""
        tokens = self.encoder.embed(x)
        ends = self.encoder.encode(tokens) if self.windows is None else self._run(tokens)
        maps = [reroll(end, grid) for end, grid in zip(ends, self.encoder.stage_grids, strict=True)]
        return [self._without_time(m).permute(0, 3, 1, 2).contiguous() for m in maps]

    def _without_time(self, features: Tensor) -> Tensor:
        """(B, T, H, W, C) or (B, H, W, C) to (B, H, W, C)."""
        if features.ndim == 4:
            return features
        return features.mean(1) if self.time == "mean" else features[:, features.shape[1] // 2]

    def _run(self, tokens: Tensor) -> list[Tensor]:
        """(B, M, U, C) to the tokens at the end of each stage, later stages in windows."""
        assert self.windows is not None
        ends = []
        for index, block in enumerate(self.encoder.blocks):
            if self.looks_wide[index] and index not in self.windows.global_blocks:
                tokens = self._in_windows(block, tokens)
            else:
                tokens = block(tokens)
            if index in self.encoder.stage_ends:
                ends.append(tokens)
        return ends

    def _in_windows(self, block: nn.Module, tokens: Tensor) -> Tensor:
        """A block on windows of mask units: (B, M, U, C) to (B, M, U', C').

        Windows at the right and the lower edge are smaller where they do not divide the picture:
        nothing is padded, so nothing but the picture is attended to.
        """
        assert self.windows is not None
        rows, columns = self.encoder.grid.units
        batch = tokens.shape[0]
        grid = tokens.view(batch, rows, columns, *tokens.shape[2:])
        strips = []
        for top, height in _spans(rows, self.windows.units[0]):
            row = [
                _windowed(block, grid[:, top[0] : top[1], left[0] : left[1]], (height, width))
                for left, width in _spans(columns, self.windows.units[1])
            ]
            strips.append(torch.cat(row, dim=2))
        out = torch.cat(strips, dim=1)
        return out.reshape(batch, rows * columns, *out.shape[3:])


def _spans(length: int, window: int) -> Iterator[tuple[tuple[int, int], int]]:
    """What whole windows cover, and then what is left, each with the size of its windows."""
    whole = length // window * window
    if whole:
        yield (0, whole), window
    if whole < length:
        yield (whole, length), length - whole


def _windowed(block: nn.Module, grid: Tensor, window: tuple[int, int]) -> Tensor:
    """A block on the windows that fill (B, rows, columns, U, C): the same with U', C'."""
    batch, rows, columns, tokens, dim = grid.shape
    height, width = window
    across, down = rows // height, columns // width
    split = grid.reshape(batch, across, height, down, width, tokens, dim).transpose(2, 3)
    out: Tensor = block(split.reshape(-1, height * width, tokens, dim))
    back = out.view(batch, across, down, height, width, *out.shape[2:]).transpose(2, 3)
    return back.reshape(batch, rows, columns, *out.shape[2:])
