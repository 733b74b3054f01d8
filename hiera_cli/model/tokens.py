"""The token order that makes query pooling and mask units a reshape.

Tokens travel as (B, M, U, C): M mask units in raster order, U tokens of one unit. Inside a unit
the *pooling partners* are the slowest index: with a query stride of 2 x 2, token `i` pools with
`i + U/4`, `i + U/2` and `i + 3U/4`, so that a max-pool is `view(B, M, 4, U/4, C).amax(2)` and what
is left is in the same order for the next pooling (the order of the official network, with the
mask unit in front, so that a unit is contiguous and masking selects along one axis).
"""

import math
from dataclasses import dataclass

from torch import Tensor

from hiera_cli.model.config import HieraConfig


@dataclass(frozen=True, slots=True)
class TokenGrid:
    """How the tokens of one stage lie in (T,) H, W.

    Attributes:
        units: mask units per axis.
        digits: factors of a unit's size per axis, in the order of the tokens inside the unit
            (slowest first), which is from fine to coarse: the last one is the coarsest step.
    """

    units: tuple[int, ...]
    digits: tuple[tuple[int, ...], ...]

    @classmethod
    def from_config(cls, config: HieraConfig) -> "TokenGrid":
        """The grid of the first stage."""
        axes = zip(config.mask_unit_size, config.q_stride, strict=True)
        rest = tuple(unit // stride**config.q_pool for unit, stride in axes)
        pairs = zip(config.grid_size, config.mask_unit_size, strict=True)
        units = tuple(size // unit for size, unit in pairs)
        return cls(units=units, digits=(config.q_stride,) * config.q_pool + (rest,))

    @property
    def unit_size(self) -> tuple[int, ...]:
        """Tokens of a unit per axis."""
        return tuple(math.prod(axis) for axis in zip(*self.digits, strict=True))

    @property
    def size(self) -> tuple[int, ...]:
        """Tokens per axis."""
        return tuple(n * u for n, u in zip(self.units, self.unit_size, strict=True))

    @property
    def num_units(self) -> int:
        """Mask units in all."""
        return math.prod(self.units)

    def pooled(self) -> "TokenGrid":
        """The grid after one query pooling."""
        return TokenGrid(units=self.units, digits=self.digits[1:])


def unroll(x: Tensor, grid: TokenGrid) -> Tensor:
    """Raster order to unit order: (B, *size, C) to (B, M, U, C), any dtype; one copy."""
    num_digits = len(grid.digits)
    split = [
        [units, *reversed(steps)] for units, *steps in zip(grid.units, *grid.digits, strict=True)
    ]
    axes = range(len(split))
    first = [1 + axis * (1 + num_digits) for axis in axes]
    order = first + [start + num_digits - d for d in range(num_digits) for start in first]
    x = x.reshape(x.shape[0], *(n for axis in split for n in axis), x.shape[-1])
    x = x.permute(0, *order, x.ndim - 1)
    return x.reshape(x.shape[0], grid.num_units, math.prod(grid.unit_size), x.shape[-1])


def reroll(x: Tensor, grid: TokenGrid) -> Tensor:
    """Unit order to raster order: (B, M, U, C) to (B, *size, C), any dtype; one copy."""
    num_axes = len(grid.units)
    split = [*grid.units, *(n for digit in grid.digits for n in digit)]
    order = [
        1 + axis + level * num_axes
        for axis in range(num_axes)
        for level in (0, *range(len(grid.digits), 0, -1))
    ]
    x = x.reshape(x.shape[0], *split, x.shape[-1])
    x = x.permute(0, *order, x.ndim - 1)
    return x.reshape(x.shape[0], *grid.size, x.shape[-1])
