"""The transformer block: mask unit attention, MLP, and query pooling between them.

Tokens are (B, M, U, C) in the order of `tokens.py`; the arithmetic is that of the official
network (arXiv 2306.00989, section 3.3), the shapes are chosen so that PyTorch's fused attention
kernels apply: mask units are folded into the batch and the call sees four dimensions.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hiera_cli.machine import has_bfloat16_tiles
from hiera_cli.model.block_plan import BlockPlan


def max_pool(x: Tensor, num: int) -> Tensor:
    """The maximum over pooling partners: (B, M, U, C) to (B, M, U / num, C)."""
    if num == 1:
        return x
    batch, units, tokens, dim = x.shape
    return x.view(batch, units, num, tokens // num, dim).amax(2)


def mean_pool(x: Tensor, num: int) -> Tensor:
    """The mean over pooling partners: (B, M, U, C) to (B, M, U / num, C)."""
    batch, units, tokens, dim = x.shape
    return x.view(batch, units, num, tokens // num, dim).mean(2)


class MaskUnitAttention(nn.Module):
    """Self-attention inside each mask unit or over all tokens, with optional query pooling."""

    def __init__(self, plan: BlockPlan) -> None:
        super().__init__()
        self.plan = plan
        self.has_tiles = has_bfloat16_tiles()
        self.qkv = nn.Linear(plan.dim, 3 * plan.dim_out)
        self.proj = nn.Linear(plan.dim_out, plan.dim_out)

    def forward(self, x: Tensor) -> Tensor:
        """(B, M, U, C) to (B, M, U / pool, C'), float."""
        batch, units, _, _ = x.shape
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        q = max_pool(q, self.plan.pool) if self.plan.pool > 1 else q
        x = self._attend(self._heads(q), self._heads(k), self._heads(v))
        merged: Tensor = self.proj(x.transpose(1, 2).reshape(batch, units, -1, self.plan.dim_out))
        return merged

    def _attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attention of (rows, heads, tokens, head width), in the dtype of its inputs.

        In bfloat16 PyTorch's fused kernel for the CPU is slower than in float32 unless there are
        tile instructions: backwards it takes four times as long.
        """
        if q.dtype != torch.bfloat16 or q.device.type != "cpu" or self.has_tiles:
            return F.scaled_dot_product_attention(q, k, v)
        with torch.autocast("cpu", enabled=False):
            wide = F.scaled_dot_product_attention(q.float(), k.float(), v.float())
        return wide.to(q.dtype)

    def _heads(self, x: Tensor) -> Tensor:
        """(B, M, U, C) to (rows, heads, tokens, head width): a view."""
        batch, units, tokens, _ = x.shape
        # Units go into the batch dimension, which makes attention four-dimensional: PyTorch has
        # fused kernels for that alone, and falls back to the plain product for five dimensions.
        rows = (batch * units, tokens) if self.plan.unit_attention else (batch, units * tokens)
        return x.view(*rows, self.plan.num_heads, -1).transpose(1, 2)


class Mlp(nn.Module):
    """Two linear layers with a GELU between them."""

    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden_dim)
        self.fc2 = nn.Linear(hidden_dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) to (..., C), float."""
        mixed: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return mixed


class DropPath(nn.Module):
    """Stochastic depth: while training, leave a residual branch out for some samples.

    Like dropout it draws from PyTorch's global generator, which activation checkpointing restores.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """(B, ...) to (B, ...), float; the mean is kept."""
        if not self.training or self.rate == 0.0:
            return x
        keep = 1.0 - self.rate
        kept = x.new_empty(x.shape[0], *([1] * (x.ndim - 1))).bernoulli_(keep)
        return x * kept.div_(keep)


class Block(nn.Module):
    """Attention and MLP, each normalised first and added to its input."""

    def __init__(self, plan: BlockPlan, *, norm_eps: float) -> None:
        super().__init__()
        self.plan = plan
        self.norm1 = nn.LayerNorm(plan.dim, eps=norm_eps)
        self.attn = MaskUnitAttention(plan)
        self.norm2 = nn.LayerNorm(plan.dim_out, eps=norm_eps)
        self.mlp = Mlp(plan.dim_out, plan.hidden_dim)
        self.drop_path = DropPath(plan.drop_path)
        if plan.dim != plan.dim_out and plan.expand_proj:
            self.proj = nn.Linear(plan.dim, plan.dim_out)

    def forward(self, x: Tensor) -> Tensor:
        """(B, M, U, C) to (B, M, U / pool, C'), float."""
        normed = self.norm1(x)
        x = self._skipped(x, normed) + self.drop_path(self.attn(normed))
        out: Tensor = x + self.drop_path(self.mlp(self.norm2(x)))
        return out

    def _skipped(self, x: Tensor, normed: Tensor) -> Tensor:
        """What attention's result is added to: (B, M, U, C) to (B, M, U / pool, C')."""
        if self.plan.dim == self.plan.dim_out:
            return max_pool(x, self.plan.pool)
        if self.plan.expand_proj:  # the checkpoints' way: the skip path widens after the norm
            return max_pool(self.proj(normed), self.plan.pool)
        return torch.cat([max_pool(x, self.plan.pool), mean_pool(x, self.plan.pool)], dim=-1)
