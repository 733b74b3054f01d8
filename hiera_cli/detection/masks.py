"""Masks of things in pictures: drawn from segmentations, pasted from a head, written for COCO."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from hiera_cli.datasets.coco import BoxPicture
from hiera_cli.datasets.segmentations import Segmentation, filled, numbers_of
from hiera_cli.errors import UsageError

Bools = npt.NDArray[np.bool_]
LEAST = 0.5  # probability from which a pixel belongs to a thing


@dataclass(frozen=True, slots=True)
class Mask:
    """A mask in COCO's compressed run lengths.

    Attributes:
        width, height: of the picture in pixels.
        counts: the runs down the columns.
    """

    width: int
    height: int
    counts: str

    def to_json(self) -> dict[str, Any]:
        """As COCO files and pycocotools have it."""
        return {"size": [self.height, self.width], "counts": self.counts}

    @property
    def area(self) -> int:
        """Number of pixels."""
        return int(_pycocotools().area(self.to_json()))

    def to_array(self) -> Bools:
        """(height, width) bool."""
        return filled(numbers_of(self.counts) or [], width=self.width, height=self.height)


def encode(mask: Bools) -> Mask:
    """The mask (H, W) in run lengths."""
    counts = _pycocotools().encode(np.asfortranarray(mask, np.uint8))["counts"]
    return Mask(mask.shape[1], mask.shape[0], counts.decode("ascii"))


def drawn(shape: Segmentation, *, width: int, height: int) -> Bools:
    """The mask (height, width) of a segmentation, as pycocotools fills polygons."""
    if shape.runs is not None:
        return filled(shape.runs, width=width, height=height)
    library = _pycocotools()
    parts = library.frPyObjects([list(part) for part in shape.polygons], height, width)
    return Mask(width, height, library.merge(parts)["counts"].decode("ascii")).to_array()


def masks_of(picture: BoxPicture) -> Bools:
    """The masks (N, height, width) of everything in a picture but crowds."""
    shapes = [box.segmentation for box in picture.boxes if not box.is_crowd]
    size = (picture.height, picture.width)
    out = np.zeros((len(shapes), *size), bool)
    for row, shape in zip(out, shapes, strict=True):
        assert shape is not None
        row[:] = drawn(shape, width=picture.width, height=picture.height)
    return out


def paste(mask: Tensor, corners: npt.NDArray[np.float64], *, width: int, height: int) -> Bools:
    """A head's mask in the picture: every pixel's center is looked up in the box.

    Args:
        mask: (M, M) probabilities.
        corners: x1, y1, x2, y2 of its box in pixels of the picture.
        width: of the picture.
        height: of the picture.

    Returns:
        (height, width), which is False outside the box.
    """
    out = np.zeros((height, width), bool)
    x1, y1, x2, y2 = corners.tolist()
    left, top = max(0, int(np.floor(x1))), max(0, int(np.floor(y1)))
    right, bottom = min(width, int(np.ceil(x2))), min(height, int(np.ceil(y2)))
    if right <= left or bottom <= top or x2 <= x1 or y2 <= y1:
        return out
    columns = (torch.arange(left, right) + 0.5 - x1) / (x2 - x1) * 2 - 1
    rows = (torch.arange(top, bottom) + 0.5 - y1) / (y2 - y1) * 2 - 1
    grid = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)[None]
    looked_up = F.grid_sample(mask[None, None], grid.to(mask.dtype), align_corners=False)
    out[top:bottom, left:right] = (looked_up[0, 0] >= LEAST).numpy()
    return out


def can_encode() -> bool:
    """Whether masks can be written: pycocotools is installed."""
    return find_spec("pycocotools") is not None


def check_can_draw() -> None:
    """Refuse where masks cannot be drawn or written.

    Raises:
        UsageError: pycocotools is not installed.
    """
    _pycocotools()


def _pycocotools() -> Any:
    try:
        from pycocotools import mask
    except ImportError as error:
        hint = "pip install 'hiera-cli[detection]'"
        raise UsageError("masks need pycocotools", hint=hint) from error
    return mask
