import time
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from hiera_cli.errors import MediaError
from hiera_cli.video import passes
from hiera_cli.video.decode import (
    Finished,
    Frame,
    Limits,
    Planned,
    VideoInfo,
    decode_video,
    probe,
)
from hiera_cli.video.protocols import PROTOCOLS, make_protocol
from hiera_cli.video.sampling import ClipPlan, plan_clips
from tests.media import read_number, turn_clip, write_clip


@dataclass
class Delivery:
    """What one call of decode_video delivered."""

    frames: dict[int, np.ndarray] = field(default_factory=dict)
    num_plans: int = 0
    info: VideoInfo | None = None
    clips: tuple[ClipPlan, ...] = ()

    @property
    def numbers(self) -> dict[int, int]:
        return {index: read_number(rgb) for index, rgb in self.frames.items()}

    @property
    def sampled(self) -> set[int]:
        return {index for clip in self.clips for index in clip.frame_indices}


def deliver(path: Path, name: str = "balanced", **options: object) -> Delivery:
    got = Delivery()
    for event in decode_video(str(path), PROTOCOLS[name], **options):  # type: ignore[arg-type]
        if isinstance(event, Planned):
            got.frames, got.num_plans = {}, got.num_plans + 1
        elif isinstance(event, Frame):
            assert event.frame_index > max(got.frames, default=-1)
            got.frames[event.frame_index] = event.rgb
        else:
            assert isinstance(event, Finished)
            got.info, got.clips = event.info, event.clips
    return got


CASES = [
    ("h264.mp4", {"codec": "libx264", "options": {"bf": "3"}}),
    ("h264_open.mkv", {"codec": "libx264", "options": {"x264-params": "open-gop=1:bframes=3"}}),
    ("refresh.mp4", {"codec": "libx264", "options": {"x264-params": "intra-refresh=1:bframes=0"}}),
    ("hevc.mp4", {"codec": "libx265", "options": {"x265-params": "log-level=none"}}),
    ("vp9.webm", {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}}),
    ("mpeg4.avi", {"codec": "mpeg4", "options": {"bf": "2", "q": "4"}}),
    ("mpeg2.mkv", {"codec": "mpeg2video", "options": {"bf": "2", "q": "4"}}),
    ("h264.ts", {"codec": "libx264", "options": {"bf": "3"}}),
    ("h264.flv", {"codec": "libx264", "options": {"bf": "2"}}),
    ("raw.h264", {"codec": "libx264", "container": "h264"}),
    ("mjpeg.mov", {"codec": "mjpeg", "pixel_format": "yuvj420p"}),
]


@pytest.mark.parametrize(("name", "options"), CASES, ids=[name for name, _ in CASES])
def test_every_sampled_frame_is_the_frame_of_the_formula(
    tmp_path: Path, name: str, options: dict[str, object]
) -> None:
    path = write_clip(tmp_path / name, 200, **options)  # type: ignore[arg-type]
    info = probe(str(path))
    assert (info.num_frames, info.width, info.height) == (200, 208, 64)
    assert info.fps == pytest.approx(30, rel=1e-3)
    assert (info.variable_frame_rate, info.warnings) == (False, ())
    for protocol in PROTOCOLS:
        got = deliver(path, protocol)
        assert got.sampled == set(got.frames)
        assert all(number == index for index, number in got.numbers.items())
        planned = plan_clips(info.timeline, PROTOCOLS[protocol])
        assert [c.frame_indices for c in got.clips] == [c.frame_indices for c in planned]
        assert got.info is not None
        assert got.info.warnings == ()


def test_pixels_do_not_depend_on_the_short_cut(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", 300, options={"bf": "3"}, gop=30)
    sparse = deliver(path, "fast").frames
    dense: dict[int, np.ndarray] = {}
    every = make_protocol("dense", hop_seconds=1 / 30)
    for event in decode_video(str(path), every):
        if isinstance(event, Frame):
            dense[event.frame_index] = event.rgb
    assert len(dense) == 300
    for index, rgb in sparse.items():
        np.testing.assert_array_equal(rgb, dense[index])
        assert rgb.flags.c_contiguous
        assert rgb.dtype == np.uint8


def test_only_what_is_needed_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_clip(tmp_path / "clip.mp4", 600, options={"bf": "2"}, gop=30)
    decoded = []
    decode = passes.Decoder.decode
    monkeypatch.setattr(
        passes.Decoder, "decode", lambda self, packet: decoded.append(1) or decode(self, packet)
    )
    got = deliver(path, "fast")
    assert got.numbers == {index: index for index in got.sampled}
    assert len(decoded) < 130  # a clip of 64 frames and its groups of pictures, not 600


def test_threads_change_nothing(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", 150, options={"bf": "3"})
    one, three = deliver(path, "paper"), deliver(path, "paper", threads=3)
    assert three.num_plans == 1
    assert one.clips == three.clips
    for index, rgb in one.frames.items():
        np.testing.assert_array_equal(rgb, three.frames[index])


def test_variable_frame_rate_goes_by_time(tmp_path: Path) -> None:
    times = [i / 30 for i in range(60)] + [2 + i / 6 for i in range(48)]
    path = write_clip(tmp_path / "vfr.mp4", 108, times=times, options={"bf": "2"})
    info = probe(str(path))
    assert info.variable_frame_rate
    assert info.num_frames == 108
    assert info.fps == pytest.approx(108 / info.duration_seconds)
    np.testing.assert_allclose(info.timeline.times_seconds, times, atol=1e-3)
    got = deliver(path, "fast")
    assert got.numbers == {index: index for index in got.sampled}


def test_a_late_start_is_an_absolute_time(tmp_path: Path) -> None:
    times = [100 + i / 30 for i in range(40)]
    info = probe(str(write_clip(tmp_path / "late.mkv", 40, times=times)))
    assert info.start_seconds == pytest.approx(100, abs=1e-3)
    assert info.duration_seconds == pytest.approx(40 / 30, abs=2e-3)
    assert info.warnings == ()


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_is_applied(tmp_path: Path, degrees: int) -> None:
    path = turn_clip(write_clip(tmp_path / "turned.mp4", 4), degrees)
    info = probe(str(path))
    size = (208, 64) if degrees == 180 else (64, 208)
    assert (info.rotation, info.width, info.height) == (degrees, *size)
    upright = deliver(path, "fast").frames[0]
    assert upright.shape[1::-1] == size
    assert read_number(np.rot90(upright, degrees // 90)) == 0


def test_a_mirror_image_is_mirrored_back(tmp_path: Path) -> None:
    path = turn_clip(write_clip(tmp_path / "mirror.mp4", 4), -1)
    assert probe(str(path)).rotation == 0
    assert read_number(deliver(path, "fast").frames[3][:, ::-1]) == 3


def test_square_pixels_only_on_request(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "wide.mp4", 4, aspect=Fraction(4, 3))
    assert deliver(path, "fast").frames[0].shape == (64, 208, 3)
    assert deliver(path, "fast", square_pixels=True).frames[0].shape == (64, 277, 3)


def test_a_truncated_file_is_planned_from_what_decodes(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "whole.ts", 120, options={"bf": "0"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    info = probe(str(path))
    assert 40 < info.num_frames < 80
    got = deliver(path)
    assert got.clips == plan_clips(info.timeline, PROTOCOLS["balanced"])
    assert set(got.frames) == got.sampled


def test_damage_means_a_new_plan_and_a_warning(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", 150, gop=150, options={"bf": "0"})
    raw = bytearray(path.read_bytes())
    start = raw.index(b"mdat") + (raw.index(b"moov") - raw.index(b"mdat")) // 3
    for place in range(start, start + 1500, 7):
        raw[place] ^= 0x5A
    path.write_bytes(raw)
    info = probe(str(path))
    assert any("damaged" in warning for warning in info.warnings)
    got = deliver(path, "paper")
    assert got.info is not None
    assert got.info.warnings == info.warnings
    assert got.clips == plan_clips(info.timeline, PROTOCOLS["paper"])
    assert set(got.frames) == got.sampled


def test_a_first_frame_that_is_no_key_frame(tmp_path: Path) -> None:
    path = write_clip(
        tmp_path / "clip.ts", 90, gop=30, options={"bf": "0", "x264-params": "scenecut=0"}
    )
    raw = path.read_bytes()
    path.write_bytes(raw[188 * (len(raw) // 188 // 6) :])
    info = probe(str(path))
    assert info.warnings
    first = read_number(next(iter(deliver(path, "fast").frames.values())))
    assert first >= 0


def test_the_generator_can_be_left_early(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", 60)
    events = decode_video(str(path), PROTOCOLS["fast"])
    assert isinstance(next(events), Planned)
    assert isinstance(next(events), Frame)
    events.close()


def test_two_videos_can_be_read_alternately(tmp_path: Path) -> None:
    one = write_clip(tmp_path / "one.mp4", 64)
    two = write_clip(tmp_path / "two.mkv", 64)
    pairs = zip(
        decode_video(str(one), PROTOCOLS["fast"]),
        decode_video(str(two), PROTOCOLS["fast"]),
        strict=True,
    )
    frames = [(a, b) for a, b in pairs if isinstance(a, Frame) and isinstance(b, Frame)]
    assert len(frames) == 16
    for a, b in frames:
        assert read_number(a.rgb) == read_number(b.rgb) == a.frame_index


def test_not_counting_says_so(tmp_path: Path) -> None:
    info = probe(str(write_clip(tmp_path / "clip.mp4", 50)), count=False)
    assert info.num_frames == 50
    assert any("not counted" in warning for warning in info.warnings)


def test_time_runs_out(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", 60)
    with pytest.raises(MediaError) as caught:
        list(decode_video(str(path), PROTOCOLS["fast"], limits=Limits(timeout_seconds=1e-6)))
    assert caught.value.kind == "timeout"


def test_the_time_of_the_consumer_does_not_count(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", 30)
    limits = Limits(timeout_seconds=20)
    budget = passes.Budget(0.05)
    budget.pause()
    time.sleep(0.1)
    budget.resume()
    budget.check()
    assert deliver(path, "fast", limits=limits).num_plans == 1


def test_large_pictures_are_refused_until_allowed(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", 3)
    with pytest.raises(MediaError) as caught:
        probe(str(path), limits=Limits(max_pixels=208 * 64 - 1))
    assert caught.value.kind == "too_large"
    assert probe(str(path), limits=Limits(max_pixels=208 * 64)).num_frames == 3


def test_a_picture_without_a_size_is_not_a_large_one(tmp_path: Path) -> None:
    """FFmpeg forgets a size that it refuses, and calls it 0x0 from then on."""
    path = write_clip(tmp_path / "clip.wmv", 3, codec="wmv2", container="asf", size=(400, 304))
    with pytest.raises(MediaError, match="400x304 exceeds") as caught:
        probe(str(path), limits=Limits(max_pixels=100))
    assert caught.value.kind == "too_large"
    size = b"".join(side.to_bytes(4, "little") for side in (400, 304))
    path.write_bytes(path.read_bytes().replace(size, bytes(8)))
    with pytest.raises(MediaError) as caught:
        probe(str(path))
    assert caught.value.kind == "corrupt"


def test_times_ascend_and_clips_are_within_the_video(tmp_path: Path) -> None:
    got = deliver(write_clip(tmp_path / "clip.mp4", 100, 25, audio_seconds=8.0), "paper")
    assert got.info is not None
    assert got.info.duration_seconds == pytest.approx(4.0)
    for clip in got.clips:
        assert all(a <= b for a, b in pairwise(clip.times_seconds))
        assert 0 <= clip.start_seconds < clip.end_seconds <= 4.0 + 1e-6
