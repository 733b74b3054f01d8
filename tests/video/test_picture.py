import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter

from hiera_cli.video.decode import Frame, decode_video
from hiera_cli.video.picture import Orientation, upright_rgb
from hiera_cli.video.sampling import PROTOCOLS
from tests.media import SHARED

PATCHES = np.array(
    [[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0]],
     [[0, 255, 255], [255, 0, 255], [128, 128, 128], [255, 255, 255]]]
)  # fmt: skip


@pytest.mark.parametrize(
    "pixel_format",
    ["yuv420p", "yuv444p", "yuv422p10le", "gray", "gbrp", "rgba", "rgb24", "bgr24", "gray16le"],
)
@pytest.mark.parametrize("size", [(64, 48), (41, 23), (1, 1)])
def test_every_format_becomes_contiguous_rgb(pixel_format: str, size: tuple[int, int]) -> None:
    gray = av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), 128, np.uint8), "rgb24")
    frame = gray.reformat(format=pixel_format)
    rgb = upright_rgb(frame, VideoReformatter())
    assert (rgb.shape, rgb.dtype, rgb.flags.c_contiguous) == ((size[1], size[0], 3), np.uint8, True)
    assert np.abs(rgb.astype(int) - 128).max() <= 2


def test_rotation_in_degrees() -> None:
    assert Orientation().rotation == 0
    assert Orientation(transpose=True, flip_x=True).rotation == 90
    assert Orientation(flip_x=True, flip_y=True).rotation == 180
    assert Orientation(transpose=True, flip_y=True).rotation == 270
    assert Orientation(flip_x=True).mirrored
    assert not Orientation(transpose=True, flip_x=True).mirrored


@pytest.mark.skipif(not SHARED.exists(), reason="../shared/media is absent")
@pytest.mark.parametrize(
    "name",
    ["col_bt601_tv.mp4", "col_bt709_tv.mp4", "col_bt601_pc.mp4", "col_bt709_pc.mp4",
     "col_bt601_untagged_sd.mp4", "col_mjpeg_full.avi", "col_vp9_bt709_tv.webm"],
)  # fmt: skip
def test_tagged_matrix_and_range_are_honoured(name: str) -> None:
    events = decode_video(str(SHARED / "odd" / name), PROTOCOLS["fast"])
    rgb = next(event.rgb for event in events if isinstance(event, Frame)).astype(int)
    height, width = rgb.shape[0] // 3, rgb.shape[1] // 4
    centers = rgb[height // 2 :: height, width // 2 :: width][:2, :4]
    assert np.abs(centers - PATCHES).max() <= 8  # lossy codecs; a wrong matrix is off by 20 to 50
