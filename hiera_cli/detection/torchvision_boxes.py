"""One of torchvision's detectors at work: it resizes and normalises pictures itself."""

import numpy as np
import numpy.typing as npt
import torch

from hiera_cli.checkpoints.torchvision_detector import BACKGROUND, TorchvisionDetector
from hiera_cli.detection.detector import Boxes
from hiera_cli.detection.masks import LEAST, can_encode, encode


@torch.inference_mode()
def detect_with_torchvision(detector: TorchvisionDetector, rgb: npt.NDArray[np.uint8]) -> Boxes:
    """The objects in a picture (H, W, 3) uint8, with masks where the detector has them.

    Without pycocotools, which writes masks, there are none.
    """
    device = next(detector.model.parameters()).device
    picture = torch.from_numpy(rgb).to(device).permute(2, 0, 1).float() / 255
    found = detector.model([picture])[0]
    pasted = found.get("masks", ()) if can_encode() else ()
    return Boxes(
        corners=found["boxes"].double().cpu().numpy(),
        scores=found["scores"].double().cpu().numpy(),
        labels=found["labels"].cpu().numpy() - BACKGROUND,
        masks=tuple(encode((mask[0] >= LEAST).cpu().numpy()) for mask in pasted),
    )
