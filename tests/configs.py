"""Networks small enough for tests: the official layout, a few channels wide."""

from typing import Any

from hiera_cli.model.config import HieraConfig


def tiny_video(size: int = 32, **changes: Any) -> HieraConfig:
    """A video network of four blocks that takes (4, size, size)."""
    arguments: dict[str, Any] = {
        "input_size": (4, size, size),
        "embed_dim": 8,
        "stages": (1, 1, 1, 1),
        "q_stride": (1, 2, 2),
        "mask_unit_size": (1, 8, 8),
        "patch_kernel": (3, 7, 7),
        "patch_stride": (2, 4, 4),
        "patch_padding": (1, 3, 3),
        "sep_pos_embed": True,
    }
    return HieraConfig(**{**arguments, **changes})


def tiny_image(size: int = 32, **changes: Any) -> HieraConfig:
    """An image network of four blocks that takes (size, size)."""
    arguments = {"input_size": (size, size), "embed_dim": 8, "stages": (1, 1, 1, 1)}
    return HieraConfig(**{**arguments, **changes})
