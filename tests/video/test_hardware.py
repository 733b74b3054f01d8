"""Hardware decoding: its frames are those of the software, and without hardware nothing breaks."""

import logging
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from av.codec.hwaccel import hwdevices_available

from hiera_cli.errors import MediaError, UsageError
from hiera_cli.video.decode import Finished, Frame, Limits, decode_video
from hiera_cli.video.hardware import find_hardware
from hiera_cli.video.protocols import PROTOCOLS
from tests.media import write_clip

DEVICES = tuple(hwdevices_available())
MAX_DIFFERENCE = 3  # of 255: a decoder is exact, how chroma is brought to full size is not
every_device = pytest.mark.parametrize("device", DEVICES)


def read(path: Path, device: str | None) -> tuple[dict[int, npt.NDArray[np.uint8]], Finished]:
    """The sampled frames by index, and the last event."""
    events = list(decode_video(str(path), PROTOCOLS["fast"], limits=Limits(hardware=device)))
    assert isinstance(events[-1], Finished)
    return {event.frame_index: event.rgb for event in events if isinstance(event, Frame)}, events[
        -1
    ]


@every_device
@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "ffv1")])
def test_frames_are_those_of_the_software_whether_or_not_the_device_works(
    tmp_path: Path, device: str, name: str, codec: str
) -> None:
    path = write_clip(tmp_path / name, 90, codec=codec)
    (expected, end), (frames, end_on_device) = read(path, None), read(path, device)
    assert list(frames) == list(expected)
    assert end_on_device.clips == end.clips
    assert end_on_device.info.warnings == end.info.warnings == ()
    for index, frame in frames.items():
        difference = np.abs(frame.astype(int) - expected[index])
        assert difference.max() <= MAX_DIFFERENCE, index


@every_device
def test_a_damaged_file_gives_what_it_gives_in_software(tmp_path: Path, device: str) -> None:
    path = write_clip(tmp_path / "clip.mp4", 90, gop=90, options={"bf": "0"})
    raw = bytearray(path.read_bytes())
    middle = (raw.index(b"mdat") + raw.index(b"moov")) // 2
    for place in range(middle, middle + 300, 7):
        raw[place] ^= 0x5A
    path.write_bytes(raw)
    (expected, end), (frames, end_on_device) = read(path, None), read(path, device)
    assert end.info.warnings
    assert end_on_device.info.warnings == end.info.warnings
    assert list(frames) == list(expected)
    assert all(np.array_equal(frames[index], expected[index]) for index in frames)


@every_device
def test_a_file_that_is_no_video_is_named_as_such(tmp_path: Path, device: str) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"no video at all" * 100)
    with pytest.raises(MediaError) as in_software:
        read(path, None)
    with pytest.raises(MediaError) as on_device:
        read(path, device)
    assert (on_device.value.kind, on_device.value.message) == (
        in_software.value.kind,
        in_software.value.message,
    )


@every_device
def test_a_device_works_or_is_warned_about(device: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "hiera_cli"):
        found = find_hardware(device)
    assert found in (device, None)
    assert (found is None) == (f"--hwaccel {device} does not work" in caplog.text)


def test_auto_finds_a_device_that_works_and_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    found = find_hardware("auto")
    assert caplog.text == ""
    assert found is None or find_hardware(found) == found
    assert find_hardware("none") is None


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(UsageError, match="--hwaccel abacus") as caught:
        find_hardware("abacus")
    assert all(device in str(caught.value.hint) for device in DEVICES)
