import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hiera_cli.report.thumbnails import HEIGHT, MAX_WIDTH, as_data_uri, film_strips, spread
from hiera_cli.video.decode import Limits
from hiera_cli.video.protocols import Protocol
from hiera_cli.video.sampling import ClipPlan
from tests.media import write_waves

PROTOCOL = Protocol("paper", num_clips=5, num_crops=3)


def picture(uri: str) -> np.ndarray:
    head, data = uri.split(",")
    assert head == "data:image/jpeg;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


@pytest.mark.parametrize("size", [(1080, 1920), (1920, 1080), (24, 32), (10, 2000)])
def test_pictures_are_small_and_keep_their_shape(size: tuple[int, int]) -> None:
    rgb = np.zeros((*size, 3), dtype=np.uint8)
    rgb[:, size[1] // 2 :] = (200, 100, 50)
    made = picture(as_data_uri(rgb))
    assert made.shape[0] == HEIGHT or made.shape[1] == MAX_WIDTH
    assert made.shape[0] <= HEIGHT
    assert made.shape[1] <= MAX_WIDTH
    assert made[made.shape[0] // 2, -2] == pytest.approx((200, 100, 50), abs=6)


def test_frames_are_spread_over_what_was_sampled() -> None:
    def clip(index: int, frames: tuple[int, ...]) -> ClipPlan:
        return ClipPlan(index, frames, tuple(map(float, frames)), 0.0, 1.0)

    assert spread((clip(0, (0, 4, 8)), clip(1, (8, 12, 16)))) == (0, 4, 8, 12, 16)
    assert spread((clip(0, tuple(range(0, 64, 4))),)) == (0, 16, 32, 44, 60)
    assert spread((clip(0, (3, 3, 3)),)) == (3,)


def test_strips_of_real_clips_and_none_of_broken_ones(tmp_path: Path) -> None:
    good = write_waves(tmp_path / "good.mp4", seed=1)
    (tmp_path / "bad.mp4").write_bytes(b"nonsense")
    paths = {"a": str(good), "b": str(tmp_path / "bad.mp4"), "c": str(tmp_path / "gone.mp4")}
    strips = film_strips(paths, PROTOCOL, limits=Limits())
    assert [len(strips[name]) for name in "abc"] == [5, 0, 0]
    assert picture(strips["a"][0]).shape == (96, 128, 3)
    assert len(set(strips["a"])) == 5
