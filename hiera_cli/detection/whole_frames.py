"""A network laid out for whole frames instead of square crops.

Position embeddings are tiled and stretched to the frame's shape, rounded to whole mask units.
"""

from dataclasses import dataclass, field

import torch.nn.functional as F
from torch import Tensor

from hiera_cli.model.action_head import at_size
from hiera_cli.model.config import HieraConfig
from hiera_cli.model.hiera import Hiera

MOST_SHAPES = 4  # networks that are kept: each is a copy of the weights


@dataclass(eq=False)
class WholeFrames:
    """Copies of a network for the shapes of frames that come by."""

    model: Hiera
    _laid_out: dict[tuple[int, int], Hiera] = field(default_factory=dict)

    def fit(self, clips: Tensor) -> tuple[Hiera, Tensor]:
        """The network for clips (..., 3, T, h, w), and the pixels that it takes.

        Returns:
            The network, and (..., 3, T, H, W) float in 0..255.
        """
        rows, columns = whole_units(self.model.config, *clips.shape[-2:])
        if (rows, columns) not in self._laid_out:
            while len(self._laid_out) >= MOST_SHAPES:
                self._laid_out.pop(next(iter(self._laid_out)))
            self._laid_out[rows, columns] = at_size(self.model, rows, columns)
        pictures = clips.float().flatten(0, -4)
        frames = F.interpolate(pictures, size=(rows, columns), mode="bilinear", antialias=True)
        return self._laid_out[rows, columns], frames.view(*clips.shape[:-2], rows, columns)


def whole_units(config: HieraConfig, height: int, width: int) -> tuple[int, int]:
    """The size nearest to one of pixels that whole mask units fill."""
    steps = (s * u for s, u in zip(config.patch_stride, config.mask_unit_size, strict=True))
    down, across = list(steps)[-2:]
    return max(1, round(height / down)) * down, max(1, round(width / across)) * across
