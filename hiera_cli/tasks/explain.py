"""Why a video was classified so: what each view says, and which parts of it the class rests on.

Relevance is measured by occlusion. Hiera deletes masked units instead of covering them, so an
occluded view is the same network over fewer tokens: nothing artificial is put in the picture,
and it costs a little less than the whole view.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from hiera_cli.errors import Failure
from hiera_cli.inference.engine import Engine
from hiera_cli.inference.loader import ViewSlot, load_batches
from hiera_cli.inference.pixel_model import PixelModel, pixel_model
from hiera_cli.inputs import InputPath

MAX_DELETIONS = 128
DELETIONS_AT_ONCE = 8


@dataclass(frozen=True, eq=False, slots=True)
class ExplainedView:
    """One view of a video.

    Attributes:
        slot: which clip and crop.
        frames: (T, S, S, 3) uint8, what the model saw.
        label, score: the view's own most probable class.
        relevance: (t, h, w) by how much the logit of the video's class falls when the mask units
            there are deleted.
    """

    slot: ViewSlot
    frames: npt.NDArray[np.uint8]
    label: str
    score: float
    relevance: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False, slots=True)
class Explanation:
    """A video's class and its views."""

    path: str
    label: str
    score: float
    views: tuple[ExplainedView, ...]


def explain_video(source: InputPath, engine: Engine) -> Explanation | Failure:
    """Explain the most probable class of a video.

    Args:
        source: the video.
        engine: a model in PyTorch; only its first views of a batch are on the device at a time.
    """
    views: list[tuple[ViewSlot, torch.Tensor]] = []
    for batch in load_batches([source], replace(engine.loader, device=None)):
        views += zip(batch.slots, batch.pixels, strict=True)
        for end in batch.ended:
            if end.failure is not None:
                return end.failure
    module = pixel_model(engine.loaded)
    module.to(next(engine.loaded.model.parameters()).device)
    with torch.inference_mode():
        scores = torch.cat([_scores(module, pixels[None]) for _, pixels in views])
        best = int(scores.mean(0).argmax())
        explained = tuple(
            _explain_view(module, slot, pixels, scores[k], best, engine.loaded.labels)
            for k, (slot, pixels) in enumerate(views)
        )
    mean = float(scores.mean(0)[best])
    return Explanation(source.path, engine.loaded.labels[best], mean, explained)


def _scores(module: PixelModel, pixels: torch.Tensor) -> torch.Tensor:
    logits: torch.Tensor = module(pixels.to(module.mean.device))[0]
    return logits.float().softmax(-1).cpu()


def _explain_view(
    module: PixelModel,
    slot: ViewSlot,
    pixels: torch.Tensor,
    scores: torch.Tensor,
    class_index: int,
    labels: tuple[str, ...],
) -> ExplainedView:
    own = int(scores.argmax())
    frames = pixels if pixels.ndim == 4 else pixels[:, None]
    seen = frames.permute(1, 2, 3, 0).round().clamp(0, 255).to(torch.uint8).numpy()
    relevance = occlude(module, pixels[None], class_index)
    return ExplainedView(slot, seen, labels[own], float(scores[own]), relevance)


def occlude(module: PixelModel, pixels: torch.Tensor, class_index: int) -> npt.NDArray[np.float32]:
    """How far the logit of a class falls when mask units are deleted, by place.

    Args:
        module: the model.
        pixels: one view (1, 3, T, H, W) or (1, 3, H, W) in 0..255.
        class_index: the class.

    Returns:
        (t, h, w) float32 over mask units. Where there are more than `MAX_DELETIONS`, neighbours in
        time are deleted together and share their value.
    """
    model = module.model
    tokens = model.embed(module.normalise(pixels.to(module.mean.device)))
    units = model.grid.units if len(model.grid.units) == 3 else (1, *model.grid.units)
    regions = list(_regions(units))
    whole = _logit(module, tokens, class_index)
    falls = np.zeros(math.prod(units), np.float32)
    for first in range(0, len(regions), DELETIONS_AT_ONCE):
        several = regions[first : first + DELETIONS_AT_ONCE]
        for size in {len(region) for region in several}:
            alike = [region for region in several if len(region) == size]
            kept = [np.setdiff1d(np.arange(len(falls)), region) for region in alike]
            left = torch.stack([tokens[0, torch.from_numpy(k)] for k in kept])
            for region, logit in zip(alike, _logit(module, left, class_index), strict=True):
                falls[region] = float(whole[0] - logit)
    return falls.reshape(units)


def _regions(units: tuple[int, ...]) -> Iterator[npt.NDArray[np.intp]]:
    """Mask units that are deleted together: one, or a few after each other in time."""
    places = np.arange(math.prod(units)).reshape(units)
    most = max(1, MAX_DELETIONS // (units[1] * units[2]))
    for span in np.array_split(np.arange(units[0]), min(units[0], most)):
        for row in range(units[1]):
            for column in range(units[2]):
                yield places[span, row, column]


def _logit(module: PixelModel, tokens: torch.Tensor, class_index: int) -> torch.Tensor:
    """The logit of a class (B,) of tokens (B, M', U, C), some mask units left out."""
    model = module.model
    features = model.pool(model.encode(tokens), model.config.head_stages)
    return model.forward_head(features)[:, class_index].float().cpu()
