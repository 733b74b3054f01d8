"""A network at an input size other than the one it was trained at.

Only the learned position embeddings depend on the size: they are interpolated, bicubic in space
and linear in time.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from hiera_cli.model.config import HieraConfig
from hiera_cli.model.hiera import Hiera
from hiera_cli.model.tokens import TokenGrid


def resized(model: Hiera, input_size: tuple[int, ...]) -> Hiera:
    """A copy of the model that takes another input size.

    Args:
        model: a network with trained weights; not changed.
        input_size: (T, H, W) or (H, W).

    Raises:
        WeightsError: whole mask units do not fill that size; the hint says what does.
    """
    config = replace(model.config, input_size=input_size)
    with torch.device("meta"):
        copy = Hiera(config)
    state = interpolate_positions(model.state_dict(), model.config, config)
    copy.load_state_dict({name: tensor.clone() for name, tensor in state.items()}, assign=True)
    for parameter, original in zip(copy.parameters(), model.parameters(), strict=True):
        parameter.requires_grad_(original.requires_grad)
    copy.labels = model.labels
    return copy.train(model.training)


def interpolate_positions(
    state: Mapping[str, Tensor], trained: HieraConfig, wanted: HieraConfig
) -> dict[str, Tensor]:
    """The state dict of `trained` with position embeddings for `wanted`.

    Names that are no position embedding are passed on; tensors of the right size as they are.
    """
    old, new = trained.grid_size, wanted.grid_size
    grids = {
        "pos_embed": (old, new),
        "pos_embed_spatial": (old[-2:], new[-2:]),
        "pos_embed_temporal": (old[:-2], new[:-2]),
        "decoder_pos_embed": (_final_size(trained), _final_size(wanted)),
    }
    return {
        name: _interpolate(tensor, *grids[name]) if name in grids else tensor
        for name, tensor in state.items()
    }


def _final_size(config: HieraConfig) -> tuple[int, ...]:
    grid = TokenGrid.from_config(config)
    for _ in range(config.q_pool):
        grid = grid.pooled()
    return grid.size


def _interpolate(embedding: Tensor, old: tuple[int, ...], new: tuple[int, ...]) -> Tensor:
    """(1, N, C) over the grid `old` to (1, N', C) over `new`; float."""
    if old == new:
        return embedding
    dim = embedding.shape[-1]
    grid = embedding.float().view(*old, dim)
    if len(old) != 2:
        grid = _interpolate_time(grid.reshape(old[0], -1), new[0]).view(new[0], *old[1:], dim)
    if len(old) != 1:
        grid = _interpolate_space(grid.reshape(-1, *old[-2:], dim), new[-2:])
    return grid.reshape(1, -1, dim).to(embedding.dtype)


def _interpolate_time(rows: Tensor, num: int) -> Tensor:
    """(T, X) to (num, X)."""
    return F.interpolate(rows.T[None], size=num, mode="linear").squeeze(0).T.contiguous()


def _interpolate_space(maps: Tensor, size: tuple[int, ...]) -> Tensor:
    """(N, H, W, C) to (N, *size, C)."""
    channels_first = maps.movedim(-1, 1)
    resized = F.interpolate(channels_first, size=size, mode="bicubic", antialias=True)
    return resized.movedim(1, -1)
