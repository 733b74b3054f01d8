"""One decoded picture: from FFmpeg's frame to upright RGB pixels."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import av
import numpy as np
import numpy.typing as npt
from av.sidedata.sidedata import Type
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

_MAX_ASPECT = 10  # sample aspect ratios beyond this are taken for damage
# Colour matrices (ISO/IEC 23091-2) and ranges that swscale converts from.
_MATRICES = frozenset({0, 1, 2, 4, 5, 6, 7, 9})
_RANGES = frozenset({0, 1, 2})
# PyAV converts in several threads since version 17, which for pictures of usual size costs more
# than the conversion itself.
_ONE_THREAD: dict[str, Any] = {"threads": 1} if int(av.__version__.split(".")[0]) >= 17 else {}


@dataclass(frozen=True, slots=True)
class Orientation:
    """How the stored picture becomes upright: transpose first, then flip.

    Attributes:
        transpose: swap rows and columns.
        flip_x: mirror left to right.
        flip_y: mirror top to bottom.
    """

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @property
    def rotation(self) -> int:
        """Degrees clockwise, one of 0, 90, 180, 270; a mirror image adds nothing."""
        if self.transpose:
            return 90 if self.flip_x else 270
        return 180 if self.flip_y else 0

    @property
    def mirrored(self) -> bool:
        """Whether the stored picture is a mirror image."""
        return self.transpose ^ self.flip_x ^ self.flip_y


def orientation_of(frame: av.VideoFrame) -> Orientation:
    """The frame's display matrix, as far as it is made of quarter turns and mirrors."""
    try:
        side_data: Mapping[object, object] = frame.side_data  # type: ignore[assignment]
        raw = side_data.get(Type.DISPLAYMATRIX)
    except ValueError:  # side data newer than this PyAV (EXIF)
        return _quarter_turns(frame.rotation)
    if raw is None:
        return Orientation()
    matrix = np.frombuffer(bytes(raw), dtype=np.int32)  # type: ignore[call-overload]
    return _from_matrix(*(float(matrix[i]) for i in (0, 1, 3, 4)))


def _quarter_turns(counterclockwise_degrees: int) -> Orientation:
    turned = {
        0: Orientation(),
        90: Orientation(transpose=True, flip_y=True),
        180: Orientation(flip_x=True, flip_y=True),
        270: Orientation(transpose=True, flip_x=True),
    }
    return turned.get(counterclockwise_degrees % 360, Orientation())


def _from_matrix(a: float, b: float, c: float, d: float) -> Orientation:
    """The matrix means x' = a·x + c·y, y' = b·x + d·y, with y down (ISO/IEC 14496-12, 8.3.2)."""
    straight, crossed = min(abs(a), abs(d)), min(abs(b), abs(c))
    if straight > 100 * max(abs(b), abs(c)):
        return Orientation(flip_x=a < 0, flip_y=d < 0)
    if crossed > 100 * max(abs(a), abs(d)):
        return Orientation(transpose=True, flip_x=c < 0, flip_y=b < 0)
    return Orientation()


def displayed_size(frame: av.VideoFrame) -> tuple[int, int]:
    """Width and height of the upright picture, in stored pixels."""
    if orientation_of(frame).transpose:
        return frame.height, frame.width
    return frame.width, frame.height


def has_known_colours(frame: av.VideoFrame) -> bool:
    """Whether the frame's colour matrix and range are such that swscale converts them."""
    return frame.colorspace in _MATRICES and frame.color_range in _RANGES


def upright_rgb(
    frame: av.VideoFrame, reformatter: VideoReformatter, pixel_aspect: Fraction | None = None
) -> npt.NDArray[np.uint8]:
    """The picture as contiguous (H, W, 3) uint8 RGB, rotation and mirrors applied.

    Unknown colours are converted as untagged ones are: BT.601, limited range.

    Args:
        frame: as decoded.
        reformatter: kept from frame to frame, since setting one up costs more than using it.
        pixel_aspect: width over height of a stored pixel; pixels are made square with it.
    """
    width, height = frame.width, frame.height
    if pixel_aspect is not None and 1 / _MAX_ASPECT <= pixel_aspect <= _MAX_ASPECT:
        width = max(1, round(width * pixel_aspect)) if pixel_aspect > 1 else width
        height = max(1, round(height / pixel_aspect)) if pixel_aspect < 1 else height
    matrix = None if frame.colorspace in _MATRICES else Colorspace.ITU601
    levels = None if frame.color_range in _RANGES else ColorRange.MPEG
    picture = reformatter.reformat(
        frame,
        width,
        height,
        "rgb24",
        src_colorspace=matrix,
        src_color_range=levels,
        **_ONE_THREAD,
    )
    # through swscale always: to_ndarray of native formats fails on odd widths, 12 bit, alpha
    rgb = cast(npt.NDArray[np.uint8], picture.to_ndarray())
    orientation = orientation_of(frame)
    if orientation.transpose:
        rgb = rgb.transpose(1, 0, 2)
    if orientation.flip_x:
        rgb = rgb[:, ::-1]
    if orientation.flip_y:
        rgb = rgb[::-1]
    return np.ascontiguousarray(rgb)  # rows are padded, and turned ones are views
