"""What answers that need no learning would lose: the measure of a masked autoencoder's loss."""

import torch
from torch import Tensor

from hiera_cli.model.mae import MaskedAutoencoder, gather_rows, normalise_patches


@torch.no_grad()
def trivial_losses(model: MaskedAutoencoder, pixels: Tensor, mask: Tensor) -> Tensor:
    """The mean squared errors of both answers, (2,) float32: mean, copy.

    Args:
        model: whose patches they are.
        pixels: (B, 3, T, H, W) or (B, 3, H, W), normalised float.
        mask: (B, M) bool, True is visible.
    """
    patches, _, _ = normalise_patches(model.patches(pixels))
    num_visible = model.count_visible(mask)
    shown = model.tokens_in(mask, num_visible)
    hidden = model.tokens_in(~mask, mask.shape[1] - num_visible)
    labels = gather_rows(patches, hidden)
    places = _places(model.final_grid.size).to(pixels.device)
    nearest = torch.cdist(places[hidden], places[shown]).argmin(dim=2)
    copies = gather_rows(patches, torch.gather(shown, 1, nearest))
    return torch.stack([labels.square().mean(), (copies - labels).square().mean()])


def _places(size: tuple[int, ...]) -> Tensor:
    """Coordinates (N, axes) of tokens in raster order, float."""
    axes = torch.meshgrid(*(torch.arange(n, dtype=torch.float32) for n in size), indexing="ij")
    return torch.stack(axes, dim=-1).flatten(0, -2)
