"""Of a long remote MP4 file only what the views need is fetched, and the frames are the same."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from hiera_cli.errors import MediaError
from hiera_cli.video import holes as home
from hiera_cli.video import local_file
from hiera_cli.video.clips import ClipReader
from hiera_cli.video.decode import Limits
from hiera_cli.video.holes import Holes, fetch_index, joined, missing
from hiera_cli.video.protocols import Protocol, make_protocol
from tests.checkpoints.server import Server, serving
from tests.media import write_frames

pytest.importorskip("aiohttp")
pytest.importorskip("fsspec")


def test_spans() -> None:
    assert joined([(5, 9), (0, 2), (3, 4), (8, 12)], 1) == [(0, 12)]
    assert joined([(5, 9), (0, 2), (3, 4), (8, 12)], 0) == [(0, 2), (3, 4), (5, 12)]
    assert list(missing([(0, 10), (20, 30)], [(2, 4), (8, 22)])) == [(0, 2), (4, 8), (22, 30)]
    assert list(missing([(2, 4)], [(0, 10)])) == []


def test_nothing_is_fetched_twice_or_out_of_bounds(tmp_path: Path) -> None:
    content = bytes(range(256)) * 40
    asked: list[tuple[int, int]] = []

    def fetch(start: int, stop: int) -> bytes:
        asked.append((start, stop))
        return content[start:stop]

    with open(tmp_path / "f", "w+b") as file:
        holes = Holes(file.fileno(), len(content), fetch)
        holes.fill([(100, 200)])
        holes.fill([(150, 300), (50, 120)])
        assert asked == [(100, 200), (50, 100), (200, 300)]
        assert holes.read(60, 10) == content[60:70]
        holes.fill_all()
        assert holes.num_fetched == len(content)
        assert Path(file.name).read_bytes() == content
        for span in ((-1, 3), (3, 2), (0, len(content) + 1)):
            with pytest.raises(ValueError, match="no such bytes"):
                holes.fill([span])


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty seconds of noise in key frames a second apart, its index at the end."""
    random = np.random.default_rng(0)

    def frames() -> Iterator[npt.NDArray[np.uint8]]:
        for index in range(600):
            if index % 30 == 0:
                still = random.integers(0, 255, (96, 128, 3), dtype=np.uint8)
            yield np.roll(still, index, axis=1)

    options = {"preset": "ultrafast", "g": "30", "bf": "2", "crf": "23"}
    return write_frames(tmp_path_factory.mktemp("film") / "film.mp4", frames(), options=options)


@pytest.fixture
def store(film: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Server, str]]:
    """A server of that film, and sizes at which it counts as long."""
    monkeypatch.setattr(local_file, "MIN_BYTES", 2**12)
    for name, size in {"HEAD_BYTES": 64, "OPENING_BYTES": 2**15, "MAX_GAP": 2**10}.items():
        monkeypatch.setattr(home, name, size)
    with serving() as server:
        server.files["/film.mp4"] = film.read_bytes()
        yield server, f"{server.url}/film.mp4"


def clips(path: str, protocol: Protocol, *, isolate: bool) -> tuple[list[Any], Any]:
    """All frames of all clips of a video, and what is known about it."""
    reader = ClipReader(isolate=isolate, limits=Limits())
    found, events = [], reader.read(path, protocol, view_of=lambda _, rgb: rgb.copy(), shared=True)
    try:
        while True:
            plan, frames = next(events)
            found.append((plan, np.stack(frames)))
    except StopIteration as end:
        return found, end.value
    finally:
        reader.close()


def assert_same(one: Sequence[Any], other: Sequence[Any]) -> None:
    assert [plan for plan, _ in one] == [plan for plan, _ in other]
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(one, other, strict=True))


@pytest.mark.parametrize("isolate", [False, True])
@pytest.mark.parametrize(("name", "share"), [("fast", 0.35), ("balanced", 0.85), ("dense", 1.1)])
def test_what_is_fetched(store, film: Path, name: str, share: float, isolate: bool) -> None:
    server, url = store
    protocol = make_protocol(name)
    expected, known = clips(str(film), protocol, isolate=False)
    found, info = clips(url, protocol, isolate=isolate)
    assert_same(found, expected)
    assert (info.path, info.num_frames, info.warnings) == (url, known.num_frames, known.warnings)
    assert server.num_sent < share * film.stat().st_size


@pytest.mark.parametrize("isolate", [False, True])
def test_a_film_that_needs_all_of_it(store, film: Path, isolate: bool) -> None:
    server, url = store
    content = bytearray(film.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4000] = bytes(4000)  # where the only clip is
    server.files["/film.mp4"] = bytes(content)
    (film.parent / "damaged.mp4").write_bytes(content)
    protocol = make_protocol("fast")
    expected, known = clips(str(film.parent / "damaged.mp4"), protocol, isolate=False)
    found, info = clips(url, protocol, isolate=isolate)
    assert_same(found, expected)
    assert info.warnings == known.warnings
    assert known.warnings


def test_a_server_that_knows_no_ranges(store, film: Path) -> None:
    server, url = store
    server.ranges = False
    expected, _ = clips(str(film), make_protocol("fast"), isolate=False)
    assert_same(clips(url, make_protocol("fast"), isolate=False)[0], expected)


def test_a_store_that_fails_midway(store, monkeypatch: pytest.MonkeyPatch) -> None:
    _, url = store
    monkeypatch.setattr(home, "OPENING_BYTES", 2**13)
    real = Holes.fill

    def fill(self: Holes, spans: Any) -> None:
        spans = list(spans)
        if sum(stop - start for start, stop in spans) > 2**15:
            raise MediaError("internal", "the store is gone")
        real(self, spans)

    monkeypatch.setattr(Holes, "fill", fill)
    for isolate in (False, True):
        with pytest.raises(MediaError, match="the store is gone"):
            clips(url, make_protocol("fast"), isolate=isolate)


def test_no_mp4_has_no_holes(tmp_path: Path) -> None:
    for start in (b"\x1aE\xdf\xa3" + bytes(100), b"", bytes(100), b"\0\0\0\x04ftyp" + bytes(100)):
        with open(tmp_path / "f", "w+b") as file:
            holes = Holes(file.fileno(), len(start), lambda a, b, s=start: s[a:b])
            assert fetch_index(holes) is (len(start) < 8)


@pytest.mark.slow
def test_ten_minutes_of_film(tmp_path: Path, tell) -> None:
    """Prints how much of a film of ten minutes each protocol fetches, at the sizes of use."""
    random = np.random.default_rng(0)
    still = random.integers(0, 255, (180, 320, 3), dtype=np.uint8)
    frames = (np.roll(still, index, axis=1) for index in range(18_000))
    options = {"preset": "ultrafast", "g": "60", "b:v": "1M", "maxrate": "1M", "bufsize": "1M"}
    film = write_frames(tmp_path / "film.mp4", frames, options=options)
    size = film.stat().st_size
    with serving() as server:
        server.files["/film.mp4"] = film.read_bytes()
        for name in ("fast", "balanced"):
            before = server.num_sent
            clips(f"{server.url}/film.mp4", make_protocol(name), isolate=True)
            sent = server.num_sent - before
            tell(f"{name}: {sent:,} of {size:,} bytes, {sent / size:.1%}")
            assert sent < 0.2 * size
