import os
import random
import resource
import struct
from contextlib import suppress
from pathlib import Path

import pytest

from hiera_cli.errors import MediaError
from hiera_cli.video.boxes import check_boxes
from tests.media import write_clip


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def words(*numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}I", *numbers)


def track(handler: bytes, *tables: bytes) -> bytes:
    header = box(b"mdhd", words(0, 0, 0, 1000, 4000, 0))
    kind = box(b"hdlr", words(0, 0), handler, words(0, 0, 0))
    return box(b"trak", box(b"mdia", header, kind, box(b"minf", box(b"stbl", *tables))))


def check(path: Path, *boxes: bytes) -> float | None:
    path.write_bytes(box(b"ftyp", b"isom") + b"".join(boxes))
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return check_boxes(descriptor)
    finally:
        os.close(descriptor)


def refusal(path: Path, *boxes: bytes) -> str:
    with pytest.raises(MediaError) as caught:
        check(path, *boxes)
    return caught.value.kind


def test_the_stated_duration_is_that_of_the_video(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", 60, audio_seconds=9.0)
    descriptor = os.open(path, os.O_RDONLY)
    assert check_boxes(descriptor) == pytest.approx(2.0)
    os.close(descriptor)
    assert check(tmp_path / "x", box(b"moov", track(b"vide"))) == 4.0
    assert check(tmp_path / "x", box(b"moov", track(b"soun"))) is None


def test_a_constant_size_times_a_huge_count_must_fit_the_file(tmp_path: Path) -> None:
    table = box(b"stsz", words(0, 1, 30_000_000))
    assert refusal(tmp_path / "x", box(b"moov", track(b"vide", table))) == "corrupt"
    little = box(b"stsz", words(0, 1, 900_000))
    assert check(tmp_path / "x", box(b"moov", track(b"vide", little))) == 4.0


def test_sample_counts_are_bounded_even_if_the_file_is_large(tmp_path: Path) -> None:
    path = tmp_path / "x"
    table = box(b"stsz", words(0, 1, 30_000_000))
    for handler, refused in ((b"vide", True), (b"soun", False)):
        path.write_bytes(box(b"ftyp", b"isom") + box(b"moov", track(handler, table)))
        os.truncate(path, 40_000_000)
        descriptor = os.open(path, os.O_RDONLY)
        try:
            if refused:
                with pytest.raises(MediaError, match="20000000"):
                    check_boxes(descriptor)
            else:
                assert check_boxes(descriptor) is None
        finally:
            os.close(descriptor)


def test_fragments_that_claim_samples_for_nothing(tmp_path: Path) -> None:
    run = box(b"moof", box(b"traf", box(b"trun", words(0, 15_000_000))))
    assert check(tmp_path / "x", run) is None
    assert refusal(tmp_path / "x", run, run) == "too_large"


def test_encryption_is_named(tmp_path: Path) -> None:
    table = box(b"stsd", words(0, 1, 100), b"encv", bytes(100))
    with pytest.raises(MediaError, match="encrypted"):
        check(tmp_path / "x", box(b"moov", track(b"vide", table)))


@pytest.mark.parametrize("seed", range(20))
def test_random_bytes_neither_hang_nor_crash(tmp_path: Path, seed: int) -> None:
    generator = random.Random(seed)
    raw = bytearray(box(b"moov", track(b"vide", box(b"stsz", words(0, 0, 5)))) * 3)
    for _ in range(30):
        raw[generator.randrange(len(raw))] = generator.randrange(256)
    with suppress(MediaError):
        check(tmp_path / "x", bytes(raw), generator.randbytes(200))


def test_a_bomb_costs_no_memory(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    test_a_constant_size_times_a_huge_count_must_fit_the_file(tmp_path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000
