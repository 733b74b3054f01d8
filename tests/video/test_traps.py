"""What real media do to decoders, number by number: where each trap is tested, or its test.

Opening
 1  regular files only: test_container (links_are_followed, pipes_and_devices)
 2  names like URLs and patterns: test_container (any_name, an_image_name), cli/test_names
 3  tags that are no UTF-8: here
 4  playlists, scripts, text in disguise: test_container (scripts_open_nothing, what_is_no_video)
 5  bombs: test_decode (large_pictures), test_boxes (a_bomb, sample_counts), test_child (memory)
 6  streams that appear mid-way: here; whatever else FFmpeg raises: test_fuzz_media
Choosing the stream
 7  cover art: here
 8  a codec without a decoder, a stream that says nothing at first: here
Decoding
 9  one bad packet: here
10  frame threads: test_decode (threads_change_nothing); with damage: here
11  signs of damage: here; test_decode (damage_means_a_new_plan)
Time and seeking
12  AVI with B-frames, raw streams: test_decode (every_sampled_frame: mpeg4.avi, raw.h264)
13  no frame count, no duration, long gaps: here; test_timeline (hours_between_two_frames)
14  late and negative starts: here; test_decode (a_late_start)
15  seeks that land elsewhere: nothing seeks; that the right packets are left out: here
16  edit lists: here
Pixels
17  rotation and mirrors: test_decode (rotation, a_mirror_image); odd matrices: here
18  sample aspect ratio: test_decode (square_pixels); with a turn: here
19  size and format change mid-stream: here
20  contiguous RGB from every format: test_picture (every_format)
21  tagged matrix and range: test_picture (tagged_matrix_and_range)
"""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from hiera_cli.errors import MediaError
from hiera_cli.video.decode import Finished, Frame, Planned, VideoInfo, decode_video, probe
from hiera_cli.video.protocols import PROTOCOLS, Protocol, make_protocol
from tests.media import draw_frame, read_number, turn_clip, write_clip

EVERY_FRAME = make_protocol("dense", hop_seconds=1 / 30)
NO_B_FRAMES = {"bf": "0"}


def deliver(
    path: Path, protocol: Protocol = EVERY_FRAME, **options: object
) -> tuple[dict[int, np.ndarray], VideoInfo]:
    """The frames of the last plan by index, and the record."""
    frames: dict[int, np.ndarray] = {}
    for event in decode_video(str(path), protocol, **options):  # type: ignore[arg-type]
        if isinstance(event, Planned):
            frames = {}
        elif isinstance(event, Frame):
            frames[event.frame_index] = event.rgb
    assert isinstance(event, Finished)
    return frames, event.info


def numbers(path: Path, protocol: Protocol = EVERY_FRAME) -> list[int]:
    """What the frames show, in order."""
    return [read_number(rgb) for rgb in deliver(path, protocol)[0].values()]


def test_3_tags_that_are_no_utf8(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", 5)
    path.write_bytes(path.read_bytes().replace(b"VideoHandler", b"Vid\xe9oHandler"))
    with pytest.raises(UnicodeDecodeError):
        av.open(str(path))
    assert numbers(path) == list(range(5))


def test_6_a_stream_that_appears_mid_way(tmp_path: Path) -> None:
    first = write_clip(tmp_path / "first.ts", 40)
    second = write_clip(tmp_path / "second.ts", 40, audio_seconds=1.3)
    (tmp_path / "both.ts").write_bytes(first.read_bytes() + second.read_bytes())
    info = probe(str(tmp_path / "both.ts"))
    assert info.num_frames >= 40
    assert info.warnings
    assert numbers(tmp_path / "both.ts")[:40] == list(range(40))


def write_song(path: Path, num_frames: int) -> Path:
    """Sound with a picture for its cover, and a video if it is to have frames."""
    with av.open(str(path), "w") as output:
        cover = output.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 640, 480, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        sound = output.add_stream("aac", rate=16_000)
        pictures = [(cover, 999)]
        if num_frames:
            video = output.add_stream("mpeg4", rate=30)
            video.width, video.height, video.pix_fmt = 208, 64, "yuv420p"
            pictures += [(video, number) for number in range(num_frames)]
        for stream, number in pictures:
            picture = draw_frame(number, (stream.width, stream.height))
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        silence = np.zeros((1, 1024), np.float32)
        tone = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
        tone.sample_rate = 16_000
        output.mux(sound.encode(tone))
        for stream in output.streams:
            output.mux(stream.encode(None))
    return path


def test_7_the_video_is_taken_not_the_cover(tmp_path: Path) -> None:
    assert numbers(write_song(tmp_path / "song.mp4", 10)) == list(range(10))


def test_7_cover_art_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="cover art") as caught:
        probe(str(write_song(tmp_path / "song.mp4", 0)))
    assert caught.value.kind == "no_video_stream"


def test_8_a_codec_without_a_decoder(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mkv", 5)
    path.write_bytes(path.read_bytes().replace(b"V_MPEG4/ISO/AVC", b"V_MPEG4/ISO/XYZ"))
    with pytest.raises(MediaError, match="without a decoder") as caught:
        probe(str(path))
    assert caught.value.kind == "no_video_stream"


def test_8_geometry_is_that_of_the_first_frame(tmp_path: Path) -> None:
    """The stream starts in the middle: at first nothing is known of it."""
    path = write_clip(tmp_path / "clip.ts", 90, options=NO_B_FRAMES, gop=30)
    with av.open(str(path)) as file:
        second_key = [p.pos for p in file.demux(video=0) if p.is_keyframe and p.pos][1]
    path.write_bytes(path.read_bytes()[188 * 20 :])
    info = probe(str(path))
    assert second_key > 188 * 20
    assert (info.width, info.height) == (208, 64)
    assert numbers(path)[-60:] == list(range(30, 90))


def spoil_frame(path: Path, place: int) -> None:
    """Overwrite all of a stored packet but its first bytes."""
    with av.open(str(path)) as file:
        packets = [(p.pos, p.size) for p in file.demux(video=0) if p.size]
    raw, (start, size) = bytearray(path.read_bytes()), packets[place]
    raw[start + 8 : start + size] = bytes(size - 8)
    path.write_bytes(raw)


def test_9_one_bad_packet_costs_one_frame(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mov", 30, codec="mjpeg", pixel_format="yuvj420p")
    spoil_frame(path, 12)
    info = probe(str(path))
    assert info.num_frames == 29
    assert any("damaged" in warning for warning in info.warnings)
    told = numbers(path)
    assert told[:24] == [*range(12), *range(13, 25)]


def test_10_threads_change_nothing_where_there_is_damage(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", 90, gop=30, options={"bf": "2"})
    spoil_frame(path, 40)
    (one, info), (three, other) = (deliver(path, threads=threads) for threads in (1, 3))
    assert info.warnings == other.warnings != ()
    assert list(one) == list(three)
    for index, rgb in one.items():
        np.testing.assert_array_equal(rgb, three[index])


def test_10_threads_that_report_damage_can_be_ended(tmp_path: Path) -> None:
    """A decoder that is freed while one of them reports waits for it without end.

    It takes a busy machine: of three processes at once, without the flush all hung within seconds.
    """
    path = write_clip(tmp_path / "clip.mp4", 90, gop=30, options={"bf": "2"})
    spoil_frame(path, 40)
    code = """if True:
        import sys
        from pathlib import Path
        from tests.video.test_decode import deliver
        for _ in range(20):
            deliver(Path(sys.argv[1]), threads=3)
        """
    runs = [subprocess.Popen([sys.executable, "-c", code, str(path)]) for _ in range(3)]
    try:
        assert [run.wait(timeout=50) for run in runs] == [0, 0, 0]
    finally:
        for run in runs:
            run.kill()


def test_11_damage_that_only_ffmpegs_log_tells_of(tmp_path: Path) -> None:
    """The decoder conceals it: no exception, and every frame comes."""
    path = write_clip(tmp_path / "clip.mp4", 30, gop=30, options=NO_B_FRAMES)
    spoil_frame(path, 10)
    info = probe(str(path))
    assert info.num_frames in (29, 30)
    assert any(warning.startswith("damaged: ") for warning in info.warnings)


def test_13_no_frame_count_and_no_duration(tmp_path: Path) -> None:
    path = write_clip(
        tmp_path / "live.mkv", 50, container="matroska", container_options={"live": "1"}
    )
    with av.open(str(path)) as file:
        assert (file.streams.video[0].frames, file.duration) == (0, None)
    assert probe(str(path)).duration_seconds == pytest.approx(50 / 30, abs=2e-3)
    assert numbers(path) == list(range(50))


def test_13_ten_hours_between_two_frames(tmp_path: Path) -> None:
    times = [i / 30 for i in range(30)] + [36_000 + i / 30 for i in range(30)]
    path = write_clip(tmp_path / "gap.mkv", 60, times=times, options=NO_B_FRAMES)
    info = probe(str(path))
    assert (info.num_frames, info.variable_frame_rate) == (60, True)
    assert info.duration_seconds == pytest.approx(36_001, abs=0.1)
    frames, _ = deliver(path, PROTOCOLS["dense"])
    assert 0 < len(frames) <= 60
    assert {index: read_number(rgb) for index, rgb in frames.items()} == {i: i for i in frames}


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "flv", "avi"])
def test_14_and_15_frames_far_in_are_the_right_ones(tmp_path: Path, suffix: str) -> None:
    """The clock starts at 100 s where the container can say so; most groups are not needed."""
    times = None if suffix == "avi" else [100 + i / 30 for i in range(300)]
    path = write_clip(tmp_path / f"late.{suffix}", 300, times=times, options={"bf": "2"}, gop=15)
    for protocol in ("fast", "balanced"):
        frames, info = deliver(path, PROTOCOLS[protocol])
        assert {index: read_number(rgb) for index, rgb in frames.items()} == {i: i for i in frames}
        assert info.warnings == ()


def test_14_a_negative_start(tmp_path: Path) -> None:
    times = [-2 + i / 30 for i in range(90)]
    path = write_clip(
        tmp_path / "early.ts",
        90,
        times=times,
        options=NO_B_FRAMES,
        container_options={"avoid_negative_ts": "disabled"},
    )
    info = probe(str(path))
    assert info.start_seconds == pytest.approx(-2, abs=1e-3)
    assert numbers(path) == list(range(90))


def test_16_an_edit_list_hides_frames(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "cut.mp4", 90, options=NO_B_FRAMES, gop=30)
    raw = bytearray(path.read_bytes())
    media_time = raw.index(b"elst") + 16
    with av.open(str(path)) as file:
        tick = round(1 / (30 * file.streams.video[0].time_base))
    raw[media_time : media_time + 4] = (10 * tick).to_bytes(4, "big")
    path.write_bytes(raw)
    info = probe(str(path))
    assert (info.num_frames, info.warnings) == (80, ())
    assert numbers(path) == list(range(10, 90))


@pytest.mark.parametrize("name", ["zero", "45 degrees"])
def test_17_a_matrix_that_means_no_quarter_turn(tmp_path: Path, name: str) -> None:
    path = turn_clip(write_clip(tmp_path / "clip.mp4", 4), 180)
    raw = bytearray(path.read_bytes())
    turned = b"".join(n.to_bytes(4, "big") for n in (0xFFFF0000, 0, 0, 0, 0xFFFF0000))
    half = round(2**16 / 2**0.5)
    words = (0,) * 5 if name == "zero" else (half, half, 0, 2**32 - half, half)
    place = raw.index(turned)
    raw[place : place + 20] = b"".join(n.to_bytes(4, "big") for n in words)
    path.write_bytes(raw)
    assert probe(str(path)).rotation == 0
    assert numbers(path) == list(range(4))


@pytest.mark.parametrize(("degrees", "shape"), [(0, (64, 277, 3)), (90, (277, 64, 3))])
def test_18_pixels_are_made_square_before_the_picture_is_turned(
    tmp_path: Path, degrees: int, shape: tuple[int, int, int]
) -> None:
    path = write_clip(tmp_path / "wide.mp4", 4, aspect=Fraction(4, 3))
    path = turn_clip(path, degrees) if degrees else path
    assert deliver(path, square_pixels=True)[0][0].shape == shape


@pytest.mark.parametrize("change", [{"size": (240, 80)}, {"pixel_format": "yuv444p"}])
def test_19_size_and_format_may_change(tmp_path: Path, change: dict[str, object]) -> None:
    one = write_clip(tmp_path / "one.h264", 20, container="h264", options=NO_B_FRAMES)
    two = write_clip(tmp_path / "two.h264", 20, container="h264", options=NO_B_FRAMES, **change)  # type: ignore[arg-type]
    path = tmp_path / "both.h264"
    path.write_bytes(one.read_bytes() + two.read_bytes())
    frames, info = deliver(path)
    assert [read_number(rgb) for rgb in frames.values()] == [*range(20), *range(20)]
    width, height = change.get("size", (208, 64))
    assert frames[0].shape, frames[39].shape == ((64, 208, 3), (height, width, 3))
    assert any("at frame 20 the picture changes" in warning for warning in info.warnings)
