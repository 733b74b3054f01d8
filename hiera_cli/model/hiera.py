"""Hiera: a hierarchical vision transformer, for images and for video (arXiv 2306.00989).

Parameter names and state-dict layout are the official ones, so that official checkpoints load.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.checkpoint import checkpoint

from hiera_cli.errors import UsageError
from hiera_cli.model.block import Block
from hiera_cli.model.config import HieraConfig
from hiera_cli.model.tokens import TokenGrid, reroll, unroll

SMALLEST_SHARE = 0.01  # of the vote, over all classes: a class that nobody votes for is possible
PIECE_ELEMENTS = 2**18  # tokens times width that a core keeps in its cache while at it


class PatchEmbed(nn.Module):
    """The convolution that turns pixels into tokens."""

    def __init__(self, config: HieraConfig) -> None:
        super().__init__()
        conv: Callable[..., nn.Module] = nn.Conv3d if config.is_video else nn.Conv2d
        self.proj = conv(
            config.in_chans,
            config.embed_dim,
            kernel_size=config.patch_kernel,
            stride=config.patch_stride,
            padding=config.patch_padding,
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, *input_size) to (B, *grid_size, C), float, raster order.

        On the CPU a video's convolution in bfloat16 takes 1.3 to 1.7 times as long as in float32,
        with tile instructions or without: its three channels fill no tile.
        """
        is_slow = x.dtype == torch.bfloat16 and x.device.type == "cpu" and x.ndim == 5
        embedded: Tensor = self._in_float32(x) if is_slow else self.proj(x)
        return embedded.movedim(1, -1)

    def _in_float32(self, x: Tensor) -> Tensor:
        """As `proj`, computed in float32 and rounded to the dtype of `x` at the end."""
        weights = {name: weight.float() for name, weight in self.proj.named_parameters()}
        with torch.autocast("cpu", enabled=False):
            wide: Tensor = functional_call(self.proj, weights, (x.float(),))
        return wide.to(x.dtype)


class Encoder(nn.Module):
    """Everything below the head: patch embedding, position embedding, blocks.

    Attributes:
        config: the constructor arguments.
        gradient_checkpointing: while training, keep only each block's input and compute the rest
            again in the backward pass: less memory, about a third more time.
    """

    def __init__(self, config: HieraConfig) -> None:
        super().__init__()
        self.config = config
        self.gradient_checkpointing = False
        self.grid = TokenGrid.from_config(config)
        self.stage_ends = tuple(sum(config.stages[: i + 1]) - 1 for i in range(len(config.stages)))
        self.patch_embed = PatchEmbed(config)
        space = math.prod(config.grid_size[-2:])
        time = math.prod(config.grid_size[:-2])
        if config.sep_pos_embed:
            self.pos_embed_spatial = nn.Parameter(torch.zeros(1, space, config.embed_dim))
            self.pos_embed_temporal = nn.Parameter(torch.zeros(1, time, config.embed_dim))
        else:
            self.pos_embed = nn.Parameter(torch.zeros(1, time * space, config.embed_dim))
        plans = config.blocks()
        leaving = [index for index, plan in enumerate(plans) if not plan.unit_attention]
        self.num_local_blocks = leaving[0] if leaving else len(plans)
        self.blocks = nn.ModuleList(Block(plan, norm_eps=config.norm_eps) for plan in plans)

    @property
    def stage_grids(self) -> tuple[TokenGrid, ...]:
        """The token grid at the end of each stage."""
        grids = [self.grid]
        for stage in range(1, len(self.config.stages)):
            grids.append(grids[-1].pooled() if stage <= self.config.q_pool else grids[-1])
        return tuple(grids)

    def position_embedding(self) -> Tensor:
        """(1, *grid_size, C), float."""
        if self.config.sep_pos_embed:
            positions = self.pos_embed_temporal[:, :, None] + self.pos_embed_spatial[:, None]
        else:
            positions = self.pos_embed
        return positions.view(1, *self.config.grid_size, -1)

    def embed(self, x: Tensor) -> Tensor:
        """Pixels to tokens: (B, 3, *input_size) to (B, M, U, C), float.

        Raises:
            UsageError: the input is not of the size that the network is built for.
        """
        expected = (self.config.in_chans, *self.config.input_size)
        if tuple(x.shape[1:]) != expected:
            raise UsageError(
                f"the network takes (B, {', '.join(map(str, expected))}), not {tuple(x.shape)}",
                hint="resize the input, or the network with interpolate_positions()",
            )
        return unroll(self.patch_embed(x) + self.position_embedding(), self.grid)

    def encode(self, tokens: Tensor) -> list[Tensor]:
        """Run the blocks: (B, M, U, C) to the tokens at the end of each stage, unit order.

        M may be any number of mask units: those that a mask left.
        """
        if self.training or self.num_local_blocks == 0 or not _runs_in_pieces(tokens):
            return self._run(tokens, 0, len(self.blocks))
        return self._run_in_pieces(tokens)

    def _run(self, tokens: Tensor, start: int, stop: int) -> list[Tensor]:
        """The stage ends among the blocks start to stop, and the last block's tokens."""
        ends = []
        for index in range(start, stop):
            block = self.blocks[index]
            if self.gradient_checkpointing and self.training:
                tokens = checkpoint(block, tokens, use_reentrant=False)
            else:
                tokens = block(tokens)
            if index in self.stage_ends or index == stop - 1:
                ends.append(tokens)
        return ends

    def _run_in_pieces(self, tokens: Tensor) -> list[Tensor]:
        """As `_run` for all blocks, on a few mask units and then a few samples at a time.

        The first blocks never look beyond a mask unit, so a piece passes through all of them
        while it is in the cache; and pieces are small enough for the allocator to use their
        memory again, where a whole batch would be mapped, cleared and unmapped in each layer.
        """
        batch, units = tokens.shape[:2]
        local = self.num_local_blocks
        rows = _in_pieces(partial(self._run, start=0, stop=local), tokens.flatten(0, 1)[:, None])
        ends = [row.view(batch, units, *row.shape[2:]) for row in rows]
        stop = len(self.blocks)
        if local == stop:
            return ends
        kept = ends if local - 1 in self.stage_ends else ends[:-1]
        return kept + _in_pieces(partial(self._run, start=local, stop=stop), ends[-1])

    def forward_stages(self, x: Tensor) -> list[Tensor]:
        """The feature map at the end of each stage, in true order.

        Args:
            x: (B, 3, T, H, W) or (B, 3, H, W), normalised float.

        Returns:
            Four maps, (B, T', H', W', C') or (B, H', W', C'), before the last normalisation.
        """
        ends = self.encode(self.embed(x))
        return [reroll(end, grid) for end, grid in zip(ends, self.stage_grids, strict=True)]


def _runs_in_pieces(tokens: Tensor) -> bool:
    """Whether working in pieces pays (on CPU) and is possible (no gradient, no graph capture)."""
    traced: bool = torch.jit.is_tracing()  # type: ignore[attr-defined,no-untyped-call]
    captured = traced or torch.compiler.is_compiling()
    return tokens.device.type == "cpu" and not torch.is_grad_enabled() and not captured


def _in_pieces(run: Callable[[Tensor], list[Tensor]], x: Tensor) -> list[Tensor]:
    """`run` on pieces of the first axis, its results put together."""
    size = max(1, PIECE_ELEMENTS // x[0].numel())
    pieces = [run(piece) for piece in torch.split(x, size)]
    return [torch.cat(parts) for parts in zip(*pieces, strict=True)]


class Head(nn.Module):
    """Dropout and the linear classifier."""

    def __init__(self, dim: int, config: HieraConfig) -> None:
        super().__init__()
        self.dropout = nn.Dropout(config.head_dropout)
        self.projection = nn.Linear(dim, config.num_classes)

    def forward(self, features: Tensor) -> Tensor:
        """(B, D) to logits (B, K), float."""
        logits: Tensor = self.projection(self.dropout(features))
        return logits


class NeighbourHead(nn.Module):
    """Votes of the nearest of the features that it keeps, each by how near it is.

    Attributes:
        projection: features to closeness, less what is the same for all: x.z / t - z.z / 2t, half
            the negative squared distance over the temperature t.
        votes: (bank, K), the classes of each feature that is kept.
    """

    def __init__(self, dim: int, config: HieraConfig) -> None:
        super().__init__()
        self.num_neighbours = config.num_neighbours
        self.projection = nn.Linear(dim, config.bank_size)
        votes = torch.zeros(config.bank_size, config.num_classes)
        self.votes = nn.Parameter(votes, requires_grad=False)

    def forward(self, features: Tensor) -> Tensor:
        """(B, D) to logits (B, K), float: logarithms of the shares of the vote."""
        closeness = self.projection(features)
        last = closeness.topk(self.num_neighbours, dim=-1).values[..., -1:]
        near = closeness.masked_fill(closeness < last, -torch.inf).softmax(-1)
        shares: Tensor = near @ self.votes
        return ((1 - SMALLEST_SHARE) * shares + SMALLEST_SHARE / shares.shape[-1]).log()


class Hiera(Encoder):
    """The classifier: encoder, mean over the tokens, LayerNorm, linear head.

    A fitted head may see the mean tokens of earlier stages beside that (`config.head_stages`).

    Args:
        config: the shape of the network.

    Attributes:
        labels: class names in the order of the logits, when known.
    """

    def __init__(self, config: HieraConfig) -> None:
        super().__init__(config)
        self.labels: tuple[str, ...] | None = None
        dim = config.blocks()[-1].dim_out
        self.norm = nn.LayerNorm(dim, eps=config.norm_eps)
        kind = NeighbourHead if config.bank_size else Head
        self.head = kind(config.head_dim, config)
        self._initialise()

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, K), float, never a softmax, of (B, 3, T, H, W) or (B, 3, H, W)."""
        return self.forward_head(self.forward_features(x))

    def forward_features(self, x: Tensor) -> Tensor:
        """Pooled and normalised features (B, D), float: what the head sees."""
        return self.pool(self.encode(self.embed(x)), self.config.head_stages)

    def pool(self, ends: Sequence[Tensor], head_stages: Sequence[int]) -> Tensor:
        """What a head sees of the tokens at the end of each stage.

        Args:
            ends: as `encode` gives them, (B, M, U, C) each.
            head_stages: of these stages, from 1, the mean; as they are, not normalised.

        Returns:
            (B, D), float: those means, and at the end the last stage's, normalised.
        """
        last: Tensor = self.norm(ends[-1].mean((1, 2)))
        earlier = [ends[stage - 1].mean((1, 2)) for stage in head_stages]
        return torch.cat([*earlier, last], dim=-1) if earlier else last

    def forward_tokens(self, x: Tensor) -> Tensor:
        """The last stage's normalised tokens in true order: (B, T', H', W', D), float."""
        tokens: Tensor = self.norm(self.encode(self.embed(x))[-1])
        return reroll(tokens, self.stage_grids[-1])

    def forward_head(self, features: Tensor) -> Tensor:
        """Logits (B, K) of features (B, D), float."""
        logits: Tensor = self.head(features)
        return logits

    @torch.no_grad()
    def _initialise(self) -> None:
        """As the official code: truncated normal weights, small biases, a nearly silent head."""
        initialise_positions(self)
        self.apply(_initialise_layer)
        for parameter in self.head.projection.parameters():
            parameter.mul_(self.config.head_init_scale)


def initialise_positions(encoder: Encoder) -> None:
    """Truncated normal position embeddings, in place."""
    for name, parameter in encoder.named_parameters(recurse=False):
        if name.startswith("pos_embed"):
            nn.init.trunc_normal_(parameter, std=0.02)


def _initialise_layer(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Conv2d | nn.Conv3d):
        nn.init.trunc_normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear | nn.LayerNorm):
        nn.init.constant_(module.bias, 0.02)
