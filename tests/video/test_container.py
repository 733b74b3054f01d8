"""No side doors: a name is a local file, and what is inside it opens nothing else."""

import os
import socket
import stat
import threading
import time
from pathlib import Path

import av
import pytest

from hiera_cli.errors import MediaError
from hiera_cli.video.decode import decode_video, probe
from hiera_cli.video.protocols import PROTOCOLS
from tests.media import write_clip
from tests.names import AWKWARD_NAMES


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", 5).read_bytes()


def kind_of(path: str) -> str:
    with pytest.raises(MediaError) as caught:
        probe(path)
    with pytest.raises(MediaError) as again:
        list(decode_video(path, PROTOCOLS["fast"]))
    assert again.value.kind == caught.value.kind
    return caught.value.kind


@pytest.mark.parametrize("name", AWKWARD_NAMES, ids=lambda name: repr(name[:20]))
def test_any_name_is_a_plain_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clip: bytes, name: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    with open(name, "wb") as file:
        file.write(clip)
    assert probe(os.fsdecode(name)).num_frames == 5
    assert probe(os.fsdecode(os.path.join(os.fsencode(tmp_path), name))).path.startswith("/")


@pytest.mark.parametrize("name", ["http://127.0.0.1:9/x.mp4", "pipe:0", "fd:", "-", "", "a\0b"])
def test_a_name_that_is_no_file_is_not_found(name: str) -> None:
    assert kind_of(name) == "not_found"


def test_links_are_followed_to_files_only(tmp_path: Path, clip: bytes) -> None:
    (tmp_path / "clip.mp4").write_bytes(clip)
    (tmp_path / "good.mp4").symlink_to("clip.mp4")
    (tmp_path / "dangling.mp4").symlink_to("nothing")
    (tmp_path / "loop.mp4").symlink_to("loop.mp4")
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "to_folder.mp4").symlink_to("folder.mp4")
    assert probe(str(tmp_path / "good.mp4")).num_frames == 5
    assert kind_of(str(tmp_path / "dangling.mp4")) == "not_found"
    assert kind_of(str(tmp_path / "loop.mp4")) == "not_found"
    assert kind_of(str(tmp_path / "folder.mp4")) == "not_a_video"
    assert kind_of(str(tmp_path / "to_folder.mp4")) == "not_a_video"
    assert kind_of(str(tmp_path / "clip.mp4" / "inside.mp4")) == "not_found"


def test_pipes_and_devices_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    began = time.monotonic()
    assert kind_of(str(tmp_path / "pipe.mp4")) == "not_a_video"
    assert kind_of("/dev/zero") == "not_a_video"
    assert kind_of("/dev/stdin") in {"not_a_video", "not_found"}
    assert time.monotonic() - began < 5


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file(tmp_path: Path, clip: bytes) -> None:
    path = tmp_path / "secret.mp4"
    path.write_bytes(clip)
    path.chmod(stat.S_IWUSR)
    assert kind_of(str(path)) == "permission"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "not_a_video"),
        (b"\0", "not_a_video"),
        (b"just text\n" * 100, "not_a_video"),
        (b"\0" * 100_000, "not_a_video"),
        (b"\x1b[2J\x1b[31mHello\x1b[0m\r\n" * 50, "not_a_video"),
        (b"PK\x03\x04" + bytes(100), "not_a_video"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(500), "corrupt"),
    ],
)
@pytest.mark.parametrize("suffix", ["mp4", "txt", "jpg"])
def test_what_is_no_video(tmp_path: Path, content: bytes, kind: str, suffix: str) -> None:
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(content)
    assert kind_of(str(path)) == kind


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    size = 16_000
    path.write_bytes(
        b"RIFF" + (36 + size).to_bytes(4, "little") + b"WAVEfmt \x10\0\0\0\x01\0\x01\0"
        b"\x80\x3e\0\0\0\x7d\0\0\x02\0\x10\0data" + size.to_bytes(4, "little") + bytes(size)
    )
    assert kind_of(str(path)) == "no_video_stream"


@pytest.fixture
def canary(tmp_path: Path, clip: bytes):
    """A listening socket and a file beside the test file; neither may be touched."""
    touched: list[str] = []
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(0.05)
    stop = threading.Event()

    def listen() -> None:
        while not stop.is_set():
            try:
                connection, _ = server.accept()
            except TimeoutError:
                continue
            touched.append("socket")
            connection.close()

    thread = threading.Thread(target=listen)
    thread.start()
    file = tmp_path / "canary.mp4"
    file.write_bytes(clip)
    os.utime(file, (1, 1))
    yield server.getsockname()[1], file
    stop.set()
    thread.join()
    server.close()
    assert touched == []


def scripts(port: int, canary: str) -> dict[str, str]:
    url = f"http://127.0.0.1:{port}/x.ts"
    return {
        "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{url}\n#EXT-X-ENDLIST\n",
        "hls_file": f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{canary}\n#EXT-X-ENDLIST\n",
        "hls_fd": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfd:\n#EXT-X-ENDLIST\n",
        "concat": f"ffconcat version 1.0\nfile '{canary}'\n",
        "concat_url": f"ffconcat version 1.0\nfile '{url}'\n",
        "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
        f"m=video {port} RTP/AVP 96\na=rtpmap:96 H264/90000\n",
        "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">'
        f"<Period><AdaptationSet><Representation><BaseURL>{url}</BaseURL>"
        "</Representation></AdaptationSet></Period></MPD>",
        "asx": f'<asx version="3.0"><entry><ref href="{url}"/></entry></asx>',
        "avisynth": f'DirectShowSource("{canary}")\n',
        "vobsub": "# VobSub index file, v7 (do not modify this line!)\nid: en, index: 0\n"
        "timestamp: 00:00:00:000, filepos: 000000000\n",
        "ram": f"rtsp://127.0.0.1:{port}/x\n",
        "mov_ref": f"RTSPtext\r\nrtsp://127.0.0.1:{port}/x\r\n",
    }


@pytest.mark.parametrize("name", list(scripts(1, "x")))
@pytest.mark.parametrize("suffix", ["mp4", "m3u8", "ffconcat", "sdp", "mpd", "avs", "sub", "idx"])
def test_scripts_open_nothing(
    tmp_path: Path,
    canary: tuple[int, Path],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    suffix: str,
) -> None:
    port, target = canary
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"script.{suffix}"
    path.write_text(scripts(port, str(target))[name])
    opened = watch_openings(monkeypatch)
    assert kind_of(path.name) == "not_a_video"
    assert set(opened) == {path.name}
    assert target.stat().st_atime == 1  # not read (kernels may skip atime; the list above is sure)


def watch_openings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names that Python opens; FFmpeg itself gets one descriptor and the protocol `fd` only."""
    opened: list[str] = []
    real_open, real_av_open = os.open, av.open

    def os_open(path: str, *args: int) -> int:
        opened.append(str(path))
        return real_open(path, *args)

    def av_open(name: str, **options: object) -> object:
        assert name == "fd:"
        assert options["options"]["protocol_whitelist"] == "fd"  # type: ignore[index]
        return real_av_open(name, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "open", os_open)
    monkeypatch.setattr(av, "open", av_open)
    return opened


def test_an_image_name_with_a_pattern_is_one_picture(tmp_path: Path) -> None:
    first = tmp_path / "frame_%03d.jpg"
    write_clip(first, 1, codec="mjpeg", pixel_format="yuvj420p", container="image2pipe")
    for number in range(5):
        write_clip(
            tmp_path / f"frame_{number:03d}.jpg",
            1,
            codec="mjpeg",
            pixel_format="yuvj420p",
            container="image2pipe",
        )
    assert probe(str(first)).num_frames == 1


def test_nothing_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = write_clip(tmp_path / "clip.mp4", 60, gop=60)
    raw = bytearray(path.read_bytes())
    place = raw.index(b"mdat") + 900
    raw[place : place + 300] = bytes(300)
    path.write_bytes(raw)
    assert probe(str(path)).warnings
    assert len(list(decode_video(str(path), PROTOCOLS["paper"], threads=2))) > 2
    assert capfd.readouterr() == ("", "")


def test_descriptors_are_not_leaked(tmp_path: Path, clip: bytes) -> None:
    (tmp_path / "good.mp4").write_bytes(clip)
    (tmp_path / "bad.mp4").write_bytes(clip[:300])

    def num_open() -> int:
        return len(os.listdir("/proc/self/fd"))

    probe(str(tmp_path / "good.mp4"))
    before = num_open()
    for _ in range(5):
        probe(str(tmp_path / "good.mp4"))
        kind_of(str(tmp_path / "bad.mp4"))
        events = decode_video(str(tmp_path / "good.mp4"), PROTOCOLS["fast"])
        next(events)
        events.close()
    assert num_open() == before
