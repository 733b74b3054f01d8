import os
from pathlib import Path

import numpy as np
import pytest

from hiera_cli.errors import MediaError, OutputError
from hiera_cli.training.data.cache import cached_pixels


def counted(value: int, calls: list[int]) -> np.ndarray:
    calls.append(value)
    return np.full((2, 3), value, dtype=np.uint8)


def test_pixels_are_made_once_for_the_same_file_and_settings(tmp_path: Path) -> None:
    video, cache, calls = tmp_path / "v.mp4", tmp_path / "cache", []
    video.write_bytes(b"one")
    for settings, expected in (("a", 1), ("a", 1), ("b", 2)):
        made = cached_pixels(
            cache, str(video), settings=settings, make=lambda e=expected: counted(e, calls)
        )
        assert made.tolist() == [[expected] * 3] * 2
    assert calls == [1, 2]


def test_a_changed_file_is_decoded_again(tmp_path: Path) -> None:
    video, calls = tmp_path / "v.mp4", []
    for value in (1, 2):
        video.write_bytes(b"x" * value)
        os.utime(video, ns=(value, value))
        made = cached_pixels(
            tmp_path / "c", str(video), settings="", make=lambda v=value: counted(v, calls)
        )
        assert int(made[0, 0]) == value
    assert calls == [1, 2]


def test_nothing_is_left_behind_when_decoding_fails(tmp_path: Path) -> None:
    video = tmp_path / "v.mp4"
    video.write_bytes(b"x")

    def fail() -> np.ndarray:
        raise MediaError("corrupt", "no")

    with pytest.raises(MediaError):
        cached_pixels(tmp_path / "c", str(video), settings="", make=fail)
    assert not (tmp_path / "c").exists()


def test_a_missing_file_and_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(MediaError) as caught:
        cached_pixels(tmp_path, str(tmp_path / "no.mp4"), settings="", make=lambda: np.zeros(1))
    assert caught.value.kind == "not_found"
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot write"):
        cached_pixels(
            tmp_path / "file" / "c",
            str(tmp_path / "file"),
            settings="",
            make=lambda: counted(1, []),
        )
