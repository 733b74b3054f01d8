from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter

from hiera_cli.video.decode import Finished, Frame, decode_video
from hiera_cli.video.picture import Orientation, has_known_colours, upright_rgb
from hiera_cli.video.protocols import PROTOCOLS
from tests.media import SHARED, read_number, write_clip

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


@pytest.mark.parametrize(
    ("name", "value"),
    [("colorspace", 3), ("colorspace", 14), ("colorspace", 52), ("color_range", 3)],
)
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p10le", "gbrp"])
def test_unknown_colours_are_converted_as_untagged_ones(
    pixel_format: str, name: str, value: int
) -> None:
    random = np.random.default_rng(0)
    noise = av.VideoFrame.from_ndarray(random.integers(0, 255, (48, 64, 3), np.uint8), "rgb24")
    frame = noise.reformat(format=pixel_format)
    frame.colorspace, frame.color_range = 2, 0
    untagged = upright_rgb(frame, VideoReformatter())
    setattr(frame, name, value)
    assert not has_known_colours(frame)
    np.testing.assert_array_equal(upright_rgb(frame, VideoReformatter()), untagged)


def test_colours_that_cannot_be_converted_are_warned_of(tmp_path: Path) -> None:
    options = {"x264-params": "colormatrix=ictcp"}
    clip = write_clip(tmp_path / "clip.mp4", 20, options=options)
    *frames, finished = decode_video(str(clip), PROTOCOLS["fast"])
    pictures = [event for event in frames if isinstance(event, Frame)]
    assert [read_number(event.rgb) for event in pictures] == [e.frame_index for e in pictures]
    assert isinstance(finished, Finished)
    assert "BT.601 is assumed" in finished.info.warnings[0]


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
