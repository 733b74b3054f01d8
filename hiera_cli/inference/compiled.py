"""PyTorch's compiler for one batch size."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class CompiledForward:
    """A module compiled for the first batch size it sees; smaller batches are padded to it.

    Compiling again for the last, smaller batch would cost more than it ever saves. Weights are
    frozen into the program: constants fold, and on the CPU matrices are packed once.
    """

    def __init__(self, module: nn.Module) -> None:
        options: dict[str, str | int | bool | Callable[..., Any]] = {"freezing": True}
        self._forward = torch.compile(module, dynamic=False, options=options)
        self._batch_size = 0

    def __call__(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels (B, 3, T, H, W) or (B, 3, H, W) -> (logits (B, K), features (B, D))."""
        num_views = len(pixels)
        self._batch_size = max(self._batch_size, num_views)
        padding = pixels[:1].expand(self._batch_size - num_views, *pixels.shape[1:])
        logits, features = self._forward(torch.cat((pixels, padding)))
        return logits[:num_views], features[:num_views]
