"""What a network makes of the things in boxes: RoIAlign on the map of one of its stages.

A box is laid over the map's mean over time in 7 x 7 places, which are averaged or of which the
largest value is taken. Of the last layer the mean is normalised after it was taken, as the
classifier does with the whole picture: over the whole frame it approaches the picture's feature.
"""

from collections.abc import Sequence

from torch import Tensor
from torchvision.ops import roi_align

from hiera_cli.model.action_head import ROI_SIZE
from hiera_cli.model.hiera import Hiera
from hiera_cli.model.tokens import reroll
from hiera_cli.options import Layer, Pool


def box_features(
    model: Hiera, x: Tensor, boxes: Sequence[Tensor], *, layer: Layer, pool: Pool
) -> Tensor:
    """Features of boxes: (sum N, C), float; with `pool="none"` (sum N, 7, 7, C).

    Args:
        model: a video or an image network.
        x: (B, 3, T, H, W) or (B, 3, H, W), normalised float.
        boxes: for each clip or picture, (N, 4) corners in pixels of it.
        layer: `stage1` to `stage4`, or `final`: normalised as what the head sees.
        pool: over the places of a box.
    """
    maps = _map(model, x, layer, normalised=pool != "mean")
    if maps.ndim == 5:
        maps = maps.mean(1)
    maps = maps.float()  # so are the corners
    scale = maps.shape[2] / x.shape[-1]
    pooled: Tensor = roi_align(
        maps.permute(0, 3, 1, 2), list(boxes), ROI_SIZE, scale, sampling_ratio=0, aligned=True
    )
    if pool == "none":
        return pooled.permute(0, 2, 3, 1)
    if pool == "max":
        return pooled.amax((2, 3))
    features: Tensor = pooled.mean((2, 3))
    return model.norm(features.to(x.dtype)) if layer == "final" else features


def _map(model: Hiera, x: Tensor, layer: Layer, *, normalised: bool) -> Tensor:
    """A stage's map in true order, (B, T', H', W', C) or (B, H', W', C)."""
    if layer == "final" and normalised:
        return model.forward_tokens(x)
    ends = model.encode(model.embed(x))
    stage = len(ends) - 1 if layer == "final" else int(layer.removeprefix("stage")) - 1
    return reroll(ends[stage], model.stage_grids[stage])
