"""The shape of a Hiera network as plain data: no torch, no weights, no pixels.

Fields are the official constructor's: an official `config.json` is read as it stands.
"""

import math
import reprlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from hiera_cli.errors import WeightsError
from hiera_cli.model.block_plan import BlockPlan

MAX_PARAMETERS = 4_000_000_000
MAX_TOKENS = 1_000_000
NUM_STAGES = 4
SIDE_STAGES = (2, 3)
"""Stages whose mean tokens a fitted head may see beside the last one's."""


@dataclass(frozen=True, slots=True)
class HieraConfig:
    """Constructor arguments of a Hiera network, image (2-D) or video (3-D).

    Attributes:
        input_size: (H, W) for images, (T, H, W) for video, in pixels and frames.
        in_chans: input channels.
        embed_dim: width of the first stage.
        num_heads: attention heads of the first stage.
        num_classes: outputs of the classification head.
        stages: number of blocks in each of the four stages.
        q_pool: how many of the stage changes pool the queries (3; one less while pretraining).
        q_stride: query pooling per axis.
        mask_unit_size: tokens of a mask unit per axis, in the first stage.
        mask_unit_attn: per stage, whether attention stays inside a mask unit.
        dim_mul, head_mul: growth of width and heads at a stage change.
        patch_kernel, patch_stride, patch_padding: the patch embedding convolution.
        mlp_ratio: hidden width of the MLP over its input width.
        drop_path_rate: stochastic depth of the last block (linear from 0).
        head_dropout: dropout before the head.
        head_init_scale: factor on the head's initial weights.
        sep_pos_embed: separate spatial and temporal position embeddings.
        norm_eps: epsilon of every LayerNorm.
        expand_proj: whether the skip path widens by a linear layer at a stage change, or (some of
            timm's networks) by its pooled maximum and mean side by side.
        bank_size, num_neighbours: kept features, of which the nearest vote; 0: a linear head.
        head_stages: earlier stages, from 1, whose mean tokens the head sees beside the last one's.
    """

    input_size: tuple[int, ...] = (224, 224)
    in_chans: int = 3
    embed_dim: int = 96
    num_heads: int = 1
    num_classes: int = 1000
    stages: tuple[int, ...] = (2, 3, 16, 3)
    q_pool: int = 3
    q_stride: tuple[int, ...] = (2, 2)
    mask_unit_size: tuple[int, ...] = (8, 8)
    mask_unit_attn: tuple[bool, ...] = (True, True, False, False)
    dim_mul: float = 2.0
    head_mul: float = 2.0
    patch_kernel: tuple[int, ...] = (7, 7)
    patch_stride: tuple[int, ...] = (4, 4)
    patch_padding: tuple[int, ...] = (3, 3)
    mlp_ratio: float = 4.0
    drop_path_rate: float = 0.0
    head_dropout: float = 0.0
    head_init_scale: float = 0.001
    sep_pos_embed: bool = False
    norm_eps: float = 1e-6
    expand_proj: bool = True
    bank_size: int = 0
    num_neighbours: int = 0
    head_stages: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Check every field; nothing is allocated before.

        Raises:
            WeightsError: a value of the wrong type, out of range, or shapes that do not fit.
        """
        for name, (low, high) in _INTEGERS.items():
            _check_int(name, getattr(self, name), low, high)
        for name, (least, most) in _NUMBERS.items():
            _check_number(name, getattr(self, name), least, most)
        _check_flag("sep_pos_embed", self.sep_pos_embed)
        _check_flag("expand_proj", self.expand_proj)
        self._check_axes()
        if not min(1, self.bank_size) <= self.num_neighbours <= self.bank_size:
            raise _refusal("num_neighbours", self.num_neighbours, "does not fit bank_size")
        self._check_stages()
        self._check_sizes()
        self._check_parameters()

    def _check_axes(self) -> None:
        _check_tuple("input_size", self.input_size, (2, 3))
        for name, (low, high) in _PER_AXIS.items():
            values = _check_tuple(name, getattr(self, name), (len(self.input_size),))
            for value in values:
                _check_int(name, value, low, high)

    def _check_stages(self) -> None:
        for value in _check_tuple("stages", self.stages, (NUM_STAGES,)):
            _check_int("stages", value, 1, 1024)
        for value in _check_tuple("mask_unit_attn", self.mask_unit_attn, (NUM_STAGES,)):
            _check_flag("mask_unit_attn", value)
        stages = _check_tuple("head_stages", self.head_stages, tuple(range(NUM_STAGES)))
        for stage in stages:
            _check_int("head_stages", stage, 1, NUM_STAGES - 1)
        if list(stages) != sorted(set(self.head_stages)):
            raise _refusal("head_stages", stages, "not ascending")
        for block in self.blocks():
            if block.num_heads < 1 or block.dim_out % block.num_heads:
                raise _refusal(
                    "num_heads", self.num_heads, f"does not divide width {block.dim_out}"
                )
            if not self.expand_proj and block.dim_out not in (block.dim, 2 * block.dim):
                raise _refusal("dim_mul", self.dim_mul, "must be 2 without expand_proj")

    def _check_sizes(self) -> None:
        for unit, stride in zip(self.mask_unit_size, self.q_stride, strict=True):
            if unit % stride**self.q_pool:
                reason = f"not divisible by q_stride to the power of q_pool ({stride**self.q_pool})"
                raise _refusal("mask_unit_size", self.mask_unit_size, reason)
        steps = tuple(s * u for s, u in zip(self.patch_stride, self.mask_unit_size, strict=True))
        if any(size % step for size, step in zip(self.input_size, steps, strict=True)):
            hint = f"use multiples of {' x '.join(map(str, steps))}"
            problem = "whole mask units do not fill it"
            raise _refusal("input_size", self.input_size, problem, hint=hint)
        kernels = zip(self.patch_kernel, self.patch_padding, strict=True)
        axes = zip(self.input_size, self.patch_stride, kernels, strict=True)
        if any((i + 2 * p - k) // s + 1 != i // s for i, s, (k, p) in axes):
            raise _refusal("patch_kernel", self.patch_kernel, "does not give one token per stride")
        if math.prod(self.grid_size) > MAX_TOKENS:
            raise _refusal("input_size", self.input_size, f"more than {MAX_TOKENS:,} tokens")

    def _check_parameters(self) -> None:
        if self.num_parameters > MAX_PARAMETERS:
            reason = f"the network would have {self.num_parameters:,} parameters"
            raise _refusal("embed_dim", self.embed_dim, reason)

    @property
    def grid_size(self) -> tuple[int, ...]:
        """Tokens per axis in the first stage."""
        return tuple(i // s for i, s in zip(self.input_size, self.patch_stride, strict=True))

    @property
    def num_parameters(self) -> int:
        """Parameters of `Hiera` (not of the autoencoder), counted without allocating."""
        blocks = self.blocks()
        patch = self.embed_dim * (self.in_chans * math.prod(self.patch_kernel) + 1)
        space = math.prod(self.grid_size[-2:])
        time = math.prod(self.grid_size[:-2])
        positions = space + time if self.sep_pos_embed else space * time
        dim = blocks[-1].dim_out
        rows = self.bank_size or self.num_classes
        head = 2 * dim + (self.head_dim + 1) * rows + self.bank_size * self.num_classes
        return patch + positions * self.embed_dim + sum(b.num_parameters for b in blocks) + head

    @property
    def stage_dims(self) -> tuple[int, ...]:
        """Width at the end of each stage."""
        blocks = self.blocks()
        return tuple(blocks[sum(self.stages[: i + 1]) - 1].dim_out for i in range(NUM_STAGES))

    @property
    def head_dim(self) -> int:
        """Width of what the head sees."""
        return sum(self.stage_dims[stage - 1] for stage in (*self.head_stages, NUM_STAGES))

    def blocks(self) -> tuple[BlockPlan, ...]:
        """The transformer blocks, first to last.

        Width and heads grow in the first block of a stage, which also pools; that block still
        attends the way the stage before it does (paper, section 3.3).
        """
        rates = _linear(self.drop_path_rate, sum(self.stages))
        dim, heads, plans = self.embed_dim, self.num_heads, list[BlockPlan]()
        for stage, depth in enumerate(self.stages):
            for index in range(depth):
                first = stage > 0 and index == 0
                dim_out = int(dim * self.dim_mul) if first else dim
                heads = int(heads * self.head_mul) if first else heads
                plans.append(
                    BlockPlan(
                        dim=dim,
                        dim_out=dim_out,
                        num_heads=heads,
                        hidden_dim=int(dim_out * self.mlp_ratio),
                        pool=math.prod(self.q_stride) if first and stage <= self.q_pool else 1,
                        unit_attention=self.mask_unit_attn[stage - 1 if first else stage],
                        drop_path=rates[len(plans)],
                        expand_proj=self.expand_proj,
                    )
                )
                dim = dim_out
        return tuple(plans)

    def for_pretraining(self) -> "HieraConfig":
        """The same network as the masked autoencoder wants it: without its last pooling.

        The official networks pool three times and pretrain with two (paper, appendix A): what is
        left of a mask unit are several tokens, each of which predicts a small patch.
        """
        return replace(self, q_pool=max(self.q_pool - 1, 0), head_stages=())

    @property
    def is_video(self) -> bool:
        """Whether the input has a time axis."""
        return len(self.input_size) == 3

    def to_dict(self) -> dict[str, Any]:
        """The constructor arguments as JSON types, tuples as lists.

        What the official constructor does not know is left out where it changes nothing.
        """
        ours = {"bank_size": 0, "num_neighbours": 0, "expand_proj": True, "head_stages": ()}
        values = {k: v for k, v in asdict(self).items() if k not in ours or v != ours[k]}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "HieraConfig":
        """A configuration from the constructor arguments in a `config.json`.

        Keys that are not constructor arguments are ignored here (labels and preprocessing live
        in the same file); values are checked by the constructor.
        """
        known = {field.name for field in fields(cls)}
        arguments: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
            if name in known
        }
        return cls(**arguments)


_INTEGERS = {
    "in_chans": (1, 64),
    "embed_dim": (1, 16384),
    "num_heads": (1, 1024),
    "num_classes": (1, 1_000_000),
    "bank_size": (0, 10_000_000),
    "num_neighbours": (0, 10_000),
    "q_pool": (0, NUM_STAGES - 1),
}
_NUMBERS = {
    "dim_mul": (1.0, 8.0),
    "head_mul": (1.0, 8.0),
    "mlp_ratio": (0.1, 64.0),
    "drop_path_rate": (0.0, 0.99),
    "head_dropout": (0.0, 0.99),
    "head_init_scale": (0.0, 1000.0),
    "norm_eps": (1e-12, 0.1),
}
_PER_AXIS = {
    "input_size": (1, 8192),
    "q_stride": (1, 8),
    "mask_unit_size": (1, 512),
    "patch_kernel": (1, 64),
    "patch_stride": (1, 64),
    "patch_padding": (0, 64),
}


def _linear(last: float, num: int) -> list[float]:
    return [last * i / max(num - 1, 1) for i in range(num)]


def _check_int(name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _refusal(name, value, "not a whole number")
    if not low <= value <= high:
        raise _refusal(name, value, f"not between {low} and {high}")


def _check_number(name: str, value: object, low: float, high: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _refusal(name, value, "not a number")
    if not low <= value <= high:  # also refuses NaN
        raise _refusal(name, value, f"not between {low:g} and {high:g}")


def _check_flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise _refusal(name, value, "not true or false")


def _check_tuple(name: str, value: object, lengths: tuple[int, ...]) -> tuple[object, ...]:
    if not isinstance(value, tuple):
        raise _refusal(name, value, "not a list")
    if len(value) not in lengths:
        raise _refusal(name, value, f"needs {' or '.join(map(str, lengths))} values")
    return value


def _refusal(name: str, value: object, reason: str, *, hint: str = "") -> WeightsError:
    shown = reprlib.repr(value)
    hint = hint or "check the model's config.json"
    return WeightsError(f"model configuration: {name} = {shown}: {reason}", hint=hint)
