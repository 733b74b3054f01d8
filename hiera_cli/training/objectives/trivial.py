"""What answers that need no learning would lose: the measure of a masked autoencoder's loss."""

import torch
from torch import Tensor

from hiera_cli.model.mae import MaskedAutoencoder, normalise_patches
from hiera_cli.model.masking import gather_rows, true_at


@torch.no_grad()
def trivial_losses(model: MaskedAutoencoder, pixels: Tensor, visible: Tensor) -> Tensor:
    """The mean squared errors of both answers, (2,) float32: mean, copy.

    Args:
        model: whose patches they are.
        pixels: (B, 3, T, H, W) or (B, 3, H, W), normalised float.
        visible: (B, n) int64, the mask units of each clip that are visible, ascending.
    """
    patches, _, _ = normalise_patches(model.patches(pixels))
    num_units, num_visible = model.grid.num_units, visible.shape[1]
    mask = true_at(visible, num_units)
    shown = model.tokens_in(mask, num_visible)
    hidden = model.tokens_in(~mask, num_units - num_visible)
    labels = gather_rows(patches, hidden)
    places = _places(model.final_grid.size, pixels.device)
    nearest = torch.cdist(places[hidden], places[shown]).argmin(dim=2)
    copies = gather_rows(patches, torch.gather(shown, 1, nearest))
    return torch.stack([labels.square().mean(), (copies - labels).square().mean()])


def _places(size: tuple[int, ...], device: torch.device) -> Tensor:
    """Coordinates (N, axes) of tokens in raster order, float."""
    ranges = [torch.arange(n, dtype=torch.float32, device=device) for n in size]
    axes = torch.meshgrid(*ranges, indexing="ij")
    return torch.stack(axes, dim=-1).flatten(0, -2)
