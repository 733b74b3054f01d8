"""A Hiera with its normalisation in front: what every backend runs and every export contains."""

from collections.abc import Sequence
from typing import get_args

import torch
from torch import nn

from hiera_cli.checkpoints.open import LoadedModel
from hiera_cli.model.config import SIDE_STAGES
from hiera_cli.model.hiera import Hiera
from hiera_cli.options import Layer, Pool

LAYERS: tuple[Layer, ...] = get_args(Layer)


class PixelModel(nn.Module):
    """A Hiera that takes raw pixels: uint8 or float in 0..255, (B, 3, T, H, W) or (B, 3, H, W)."""

    mean: torch.Tensor
    inverse_std: torch.Tensor

    def __init__(self, model: Hiera, *, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.model = model
        shape = (1, len(mean)) + (1,) * len(model.config.input_size)
        scale = 255.0 * torch.tensor(std, dtype=torch.float32)
        self.register_buffer("mean", 255.0 * torch.tensor(mean).view(shape), persistent=False)
        self.register_buffer("inverse_std", (1.0 / scale).view(shape), persistent=False)

    def normalise(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels in 0..255 -> (x / 255 - mean) / std in the model's dtype."""
        normalised = pixels.to(self.mean.dtype) - self.mean
        normalised *= self.inverse_std  # in place: clearing another batch's memory costs more
        return normalised.to(self.model.head.projection.weight.dtype)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Pixels -> (logits (B, K), features (B, D))."""
        features = self.model.forward_features(self.normalise(pixels))
        return self.model.forward_head(features), features

    def features_at(self, pixels: torch.Tensor, layer: Layer, pool: Pool) -> torch.Tensor:
        """Pixels -> features of a layer, (B, D) pooled or (B, ..., D) as a map."""
        x = self.normalise(pixels)
        if layer == "stages":
            ends = self.model.encode(self.model.embed(x))
            return self.model.pool(ends, SIDE_STAGES)
        if layer == "final":
            maps = self.model.forward_tokens(x)
        else:
            maps = self.model.forward_stages(x)[LAYERS.index(layer)]
        if pool == "none":
            return maps
        tokens = maps.flatten(1, -2)
        return tokens.mean(1) if pool == "mean" else tokens.amax(1)


def pixel_model(loaded: LoadedModel) -> PixelModel:
    """The loaded model with its normalisation in front, in eval mode."""
    spec = loaded.preprocessing
    return PixelModel(loaded.model, mean=spec.mean, std=spec.std).eval()
