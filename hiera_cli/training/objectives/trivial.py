"""What answers that need no learning would lose: the measure of a masked autoencoder's loss."""

import torch
from torch import Tensor

from hiera_cli.model.mae import MaskedAutoencoder, normalise_patches
from hiera_cli.model.masking import gather_rows, true_at


class MeanPicture:
    """The mean of all patches so far at each place: the picture of a camera that stands still."""

    def __init__(self) -> None:
        self._sum: Tensor | None = None
        self._num = 0

    def before(self, patches: Tensor) -> Tensor:
        """The picture before these patches (B, N, P) are part of it, (N, P); at first nought."""
        if self._sum is None:
            self._sum = torch.zeros_like(patches[0])
        picture = self._sum / max(self._num, 1)
        self._sum += patches.sum(dim=0)
        self._num += len(patches)
        return picture


@torch.no_grad()
def trivial_losses(
    model: MaskedAutoencoder, pixels: Tensor, visible: Tensor, picture: MeanPicture
) -> Tensor:
    """The mean squared errors of the answers, (3,) float32: mean, copy, picture.

    Args:
        model: whose patches they are.
        pixels: (B, 3, T, H, W) or (B, 3, H, W), normalised float.
        visible: (B, n) int64, the mask units of each clip that are visible, ascending.
        picture: of the clips before these, which become part of it.
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
    remembered = picture.before(patches)[hidden]
    answers = (torch.zeros_like(labels), copies, remembered)
    return torch.stack([(answer - labels).square().mean() for answer in answers])


def _places(size: tuple[int, ...], device: torch.device) -> Tensor:
    """Coordinates (N, axes) of tokens in raster order, float."""
    ranges = [torch.arange(n, dtype=torch.float32, device=device) for n in size]
    axes = torch.meshgrid(*ranges, indexing="ij")
    return torch.stack(axes, dim=-1).flatten(0, -2)
