"""An object detector at work: pictures in, boxes in their own pixels out."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from hiera_cli.checkpoints.detector import LoadedDetector
from hiera_cli.detection.masks import Mask, encode, paste

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class Boxes:
    """What was found in one picture, best first.

    Attributes:
        corners: (N, 4) x1, y1, x2, y2 in pixels of the picture.
        scores: (N,) in 0..1.
        labels: (N,) class indices from 0.
        masks: N masks in the picture's size; empty where the detector has none.
    """

    corners: Floats
    scores: Floats
    labels: npt.NDArray[np.int64]
    masks: tuple[Mask, ...] = ()


@torch.inference_mode()
def detect_objects(
    detector: LoadedDetector,
    rgb: npt.NDArray[np.uint8],
    *,
    size: tuple[int, int] | None = None,
) -> Boxes:
    """The objects in a picture.

    The picture is fitted into the detector's square, as ViTDet is tested: aspect kept, padded
    below and on the right.

    Args:
        detector: that looks.
        rgb: (H, W, 3) uint8.
        size: width and height in whose pixels the results are; None: the picture's own.
    """
    model, pixels = detector.model, detector.preprocessing
    device = next(model.parameters()).device
    factor = model.size / max(rgb.shape[:2])
    height, width = (max(1, round(side * factor)) for side in rgb.shape[:2])
    picture = torch.from_numpy(rgb).to(device).permute(2, 0, 1)[None].float()
    picture = F.interpolate(picture, size=(height, width), mode="bilinear", antialias=True)
    mean, std = (torch.tensor(v, device=device).view(3, 1, 1) for v in (pixels.mean, pixels.std))
    square = torch.zeros(1, 3, model.size, model.size, device=device)
    square[0, :, :height, :width] = (picture[0].round().clamp(0, 255) / 255 - mean) / std
    found = model(square, [(height, width)])[0][0]
    wide, high = size or (rgb.shape[1], rgb.shape[0])
    corners = found["boxes"].double().cpu().numpy() * np.array([wide / width, high / height] * 2)
    masks = found["masks"].float().cpu() if "masks" in found else ()
    return Boxes(
        corners=corners,
        scores=found["scores"].double().cpu().numpy(),
        labels=found["labels"].cpu().numpy() - 1,
        masks=tuple(
            encode(paste(mask, box, width=wide, height=high))
            for mask, box in zip(masks, corners if len(masks) else (), strict=True)
        ),
    )
