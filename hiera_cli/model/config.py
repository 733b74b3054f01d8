"""The shape of a Hiera network as plain data: no torch, no weights, no pixels.

Field names and meanings are those of the official constructor, so that an official
`config.json` is read as it stands.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

MAX_PARAMETERS = 4_000_000_000


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
        q_pool: how many of the stage changes pool the queries (3; 2 while pretraining).
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

    def __post_init__(self) -> None:
        """Check every field.

        Raises:
            WeightsError: a value of the wrong type, out of range, or shapes that do not fit.
        """
        raise NotImplementedError  # filled in by the model work

    @property
    def is_video(self) -> bool:
        """Whether the input has a time axis."""
        return len(self.input_size) == 3

    def to_dict(self) -> dict[str, Any]:
        """The constructor arguments as JSON types, tuples as lists."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "HieraConfig":
        """A configuration from the constructor arguments in a `config.json`.

        Keys that are not constructor arguments are ignored here (labels and preprocessing live
        in the same file); values are checked by the constructor.
        """
        known = {f.name for f in fields(cls)}
        return cls(
            **{k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k in known}
        )
