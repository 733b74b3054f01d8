"""Every file of the shared collection behaves as its manifest says."""

import numpy as np
import pytest

from hiera_cli.errors import MediaError
from hiera_cli.video.decode import Finished, Frame, Limits, Planned, decode_video, probe
from hiera_cli.video.protocols import PROTOCOLS
from hiera_cli.video.sampling import plan_clips
from tests.media import MediaFile, read_number, shared_media

# A playlist opens other files, and that is never done here.
PLAYLISTS = {"playlist_local.m3u8", "playlist_concat.ffconcat"}
# VP9 has no checks of its own: bits flipped inside frames leave no sign at all.
SILENT_DAMAGE = {"flip_vp9_s1.webm"}
BOMBS = {"bomb_gif_16k.gif", "bomb_h264_8k.mp4"}
KINDS = {
    "audio_only.m4a": "no_video_stream",
    "audio_only.mkv": "no_video_stream",
    "audio_only.wav": "no_video_stream",
    "audio_only_as.mp4": "no_video_stream",
    "bomb_png_16384.png": "too_large",
    "bomb_stsz_30M.mp4": "corrupt",
    "codec_unknown.mkv": "no_video_stream",
    "cover_only.flac": "no_video_stream",
    "cover_only.m4a": "no_video_stream",
    "cover_only.mp3": "no_video_stream",
    "cut_moov_only.mp4": "corrupt",
    "cut_nomoov.mp4": "corrupt",
    "edit_beyond.mp4": "no_frames",
    "encrypted_cenc.mp4": "corrupt",
    "ext_mp3_as.mp4": "no_video_stream",
    "frag_init_only.mp4": "no_frames",
    "hdr_flip_s11.mp4": "corrupt",
    "hdr_flip_s16.mp4": "no_frames",
    "not_ansi.txt": "not_a_video",
    "not_empty.mp4": "not_a_video",
    "not_html.mp4": "not_a_video",
    "playlist_http.m3u8": "not_a_video",
    "playlist_http_as.mp4": "not_a_video",
    "playlist_local.m3u8": "not_a_video",
    "tc_nasa_13013.mp4.audio.mp3": "no_video_stream",
    "video_empty_track.mkv": "no_frames",
    "zero_frames.mkv": "no_frames",
    "zero_frames.mp4": "no_video_stream",
}

MEDIA = shared_media()
pytestmark = pytest.mark.skipif(not MEDIA, reason="../shared/media is absent")


def expects_error(file: MediaFile) -> bool:
    return file.expected == "error" or file.path.name in PLAYLISTS | BOMBS


READABLE = [file for file in MEDIA if not expects_error(file)]
REFUSED = [file for file in MEDIA if expects_error(file)]


@pytest.mark.parametrize("file", READABLE, ids=lambda file: file.path.name)
def test_what_is_found(file: MediaFile) -> None:
    info = probe(str(file.path))
    warned = file.expected == "ok-with-warning" and file.path.name not in SILENT_DAMAGE
    assert bool(info.warnings) == warned, info.warnings
    slack = 5 if "damage" in file.tags else 0
    assert abs(info.num_frames - file.oracle["nb_frames"]) <= slack
    shown = (file.oracle["display_width"], file.oracle["display_height"])
    assert (info.width, info.height) == shown
    if file.expected == "ok":
        check_times(file, info.fps, info.timeline.times_seconds)


def check_times(file: MediaFile, fps: float, times: np.ndarray) -> None:
    """The rate is one of the oracle's, the times are those it saw (the last may be missing)."""
    stated = file.oracle.get("avg_frame_rate") or "0/0"
    top, bottom = (float(part) for part in stated.split("/"))
    known = [file.oracle.get("fps_by_frames"), top / bottom if bottom else None]
    span = times[-1] - times[0]
    known.append(len(times) / (span + span / max(len(times) - 1, 1)) if span else None)
    rates = [rate for rate in known if rate]
    assert not rates or min(abs(fps / rate - 1) for rate in rates) < 0.012
    oracle = file.per_frame
    base = [float(part) for part in oracle["time_base"].split("/")]
    for mine, tick in zip(times, oracle["best_effort"], strict=True):
        if tick is not None:
            assert mine == pytest.approx(tick * base[0] / base[1], abs=1e-6)


@pytest.mark.parametrize("file", REFUSED, ids=lambda file: file.path.name)
def test_what_is_refused(file: MediaFile) -> None:
    with pytest.raises(MediaError) as caught:
        probe(str(file.path))
    expected = "too_large" if file.path.name in BOMBS else KINDS.get(file.path.name)
    assert expected in (None, caught.value.kind)
    assert caught.value.kind != "internal"
    with pytest.raises(MediaError) as again:
        list(decode_video(str(file.path), PROTOCOLS["balanced"]))
    assert again.value.kind == caught.value.kind


def deliver(file: MediaFile, name: str) -> tuple[dict[int, int], Finished]:
    cell, num_bits = (8, 14) if "bar8" in file.tags else (16, 10)
    numbers: dict[int, int] = {}
    for event in decode_video(str(file.path), PROTOCOLS[name]):
        if isinstance(event, Planned):
            numbers = {}
        elif isinstance(event, Frame):
            wide = event.rgb.shape[1] >= cell * (num_bits + 2)
            number = read_number(event.rgb, cell=cell, num_bits=num_bits) if wide else -1
            numbers[event.frame_index] = number
        else:
            finished = event
    return numbers, finished


def check_frames(file: MediaFile, name: str) -> None:
    numbers, finished = deliver(file, name)
    assert set(numbers) == {index for clip in finished.clips for index in clip.frame_indices}
    planned = plan_clips(finished.info.timeline, PROTOCOLS[name])
    assert [c.frame_indices for c in finished.clips] == [c.frame_indices for c in planned]
    if file.barcodes and "damage" not in file.tags:
        assert numbers == {index: file.barcodes[index] for index in numbers}


@pytest.mark.parametrize("file", READABLE, ids=lambda file: file.path.name)
def test_which_frames_are_delivered(file: MediaFile) -> None:
    check_frames(file, "balanced")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fast", "paper", "dense"])
@pytest.mark.parametrize("file", READABLE, ids=lambda file: file.path.name)
def test_which_frames_other_protocols_deliver(file: MediaFile, name: str) -> None:
    check_frames(file, name)


@pytest.mark.slow
@pytest.mark.parametrize(
    "file", [f for f in MEDIA if f.path.name in BOMBS], ids=lambda f: f.path.name
)
def test_bombs_decode_when_allowed(file: MediaFile) -> None:
    info = probe(str(file.path), limits=Limits(max_pixels=2**29))
    assert info.num_frames == file.oracle["nb_frames"]
    assert info.warnings
