"""Position embeddings of image networks at larger sizes: tiled in the window, interpolated across.

Training under a mask makes the embedding repeat with the mask unit, so that stretching it puts the
repetition out of step with the windows in which the first stages attend ("Window Attention is
Bugged", arXiv 2311.05613). The repeating part, the mean over all mask units, is laid anew unit by
unit; only what is left is stretched.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from hiera_cli.model.config import HieraConfig

SPATIAL = ("pos_embed", "pos_embed_spatial")
GLOBAL = "pos_embed_global"
WINDOWS = {"pos_embed_win": True, "pos_embed_window": False}
"""Names of repeated windows in timm's and in SAM 2's weights; whether they stretch antialiased."""


def split_positions(grid: Tensor, unit: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """The part of (H, W, C) that repeats with the unit, (h, w, C), and the rest, (H, W, C)."""
    rows, columns, dim = grid.shape
    height, width = unit
    units = grid.view(rows // height, height, columns // width, width, dim)
    repeating = units.mean((0, 2))
    return repeating, (units - repeating[:, None]).view_as(grid)


def join_positions(repeating: Tensor, rest: Tensor, size: tuple[int, int]) -> Tensor:
    """(h, w, C) laid over `size` plus (H, W, C) stretched to it: (*size, C)."""
    stretched = rest
    if tuple(rest.shape[:2]) != size:
        maps = F.interpolate(
            rest.movedim(-1, 0)[None], size=size, mode="bicubic", align_corners=False
        )
        stretched = maps[0].movedim(0, -1)
    height, width = repeating.shape[:2]
    return stretched + repeating.repeat(size[0] // height, size[1] // width, 1)


def absolute_positions(
    small: Tensor, window: Tensor, size: tuple[int, int], *, name: str
) -> Tensor:
    """(1, H * W, C): a map stretched to `size` and a window repeated over it.

    Args:
        small: (1, C, h, w).
        window: (1, C, u, v).
        size: tokens down and across; the window divides both.
        name: of the window in `WINDOWS`.
    """
    wide = F.interpolate(small.float(), size=size, mode="bicubic", antialias=WINDOWS[name])
    across = (size[0] // window.shape[-2], size[1] // window.shape[-1])
    return (wide + window.float().tile(across)).flatten(2).transpose(1, 2).contiguous()


def tile_positions(
    state: Mapping[str, Tensor], trained: HieraConfig, wanted: HieraConfig
) -> dict[str, Tensor]:
    """The state dict of `trained` with position embeddings for the height and width of `wanted`.

    Args:
        state: by parameter name; other names are passed on. Where it holds an absolute window
            embedding (`GLOBAL` and one of `WINDOWS`), that is laid out exactly.
        trained: the network that the weights belong to.
        wanted: the same with another height and width; the number of frames stays.
    """
    old, new = trained.grid_size, wanted.grid_size
    assert old[:-2] == new[:-2], "only height and width change"
    unit = (trained.mask_unit_size[-2], trained.mask_unit_size[-1])
    size = (new[-2], new[-1])
    tiled = dict(state)
    for name in WINDOWS:
        if name in state and old != new:
            parts = (state[GLOBAL], state[name])
            return tiled | {"pos_embed": absolute_positions(*parts, size, name=name)}
    for name in SPATIAL:
        if name in state and old != new:
            grids = state[name].float().view(-1, *old[-2:], trained.embed_dim)
            laid = [join_positions(*split_positions(grid, unit), size) for grid in grids]
            tiled[name] = torch.stack(laid).view(1, -1, trained.embed_dim).to(state[name].dtype)
    return tiled


def with_size(config: HieraConfig, height: int, width: int) -> HieraConfig:
    """The configuration for another height and width.

    Raises:
        WeightsError: whole mask units do not fill that size; the hint says what does.
    """
    return replace(config, input_size=(*config.input_size[:-2], height, width))
