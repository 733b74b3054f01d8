from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hiera_cli.errors import MediaError
from hiera_cli.training.data.augmentation import Augmentation
from hiera_cli.training.data.clips import ClipMaker, ClipSource, read_picture
from hiera_cli.video.crops import CropPlan
from tests.media import write_frames
from tests.training.media import moving

SOURCE = ClipSource(crop=CropPlan(36, 32, 1), num_frames=8, frame_stride=2)
PLAIN = Augmentation(size=32, min_area=0.5)


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A gray video whose brightness is 40 + 3 · frame number."""
    path = tmp_path_factory.mktemp("counting") / "x.mp4"
    frames = np.repeat((40 + 3 * np.arange(60))[:, None, None, None], 3, axis=3)
    write_frames(path, np.tile(frames, (1, 48, 64, 1)).astype(np.uint8))
    return str(path)


def frame_numbers(clip: torch.Tensor) -> list[int]:
    return [round((v - 40) / 3) for v in clip.float().mean((0, 2, 3)).tolist()]


def generators(*seeds: int) -> list[np.random.Generator]:
    return [np.random.default_rng(seed) for seed in seeds]


def test_the_center_clip_is_that_of_the_fast_protocol(counting: str) -> None:
    clip = ClipMaker(SOURCE).center_clip(counting)
    assert clip.shape == (3, 8, 32, 32)
    # span 16, slack 44, start 22: linspace(22, 37, 8)
    assert frame_numbers(clip) == [22, 24, 26, 28, 30, 32, 34, 37]


def test_random_clips_start_anywhere_and_keep_their_pace(counting: str) -> None:
    clips = ClipMaker(SOURCE).random_clips(
        counting, augmentation=PLAIN, rngs=generators(*range(12))
    )
    starts = set()
    for clip in clips:
        assert clip.dtype == torch.uint8
        numbers = frame_numbers(clip)
        assert 14 <= numbers[-1] - numbers[0] <= 16
        starts.add(numbers[0])
    assert len(starts) > 6
    assert min(starts) >= 0
    assert max(starts) <= 44


def test_the_same_generator_gives_the_same_clip_whoever_shares_the_visit(counting: str) -> None:
    together = ClipMaker(SOURCE).random_clips(counting, augmentation=PLAIN, rngs=generators(4, 5))
    alone = ClipMaker(SOURCE).random_clips(counting, augmentation=PLAIN, rngs=generators(5))
    assert torch.equal(together[1], alone[0])


def test_segments_span_the_video(counting: str) -> None:
    source = ClipSource(crop=SOURCE.crop, num_frames=8, sampling="segments")
    numbers = frame_numbers(ClipMaker(source).center_clip(counting))
    assert numbers == [3, 11, 18, 26, 33, 40, 48, 55]
    drawn = ClipMaker(source).random_clips(counting, augmentation=PLAIN, rngs=generators(1))
    found = frame_numbers(drawn[0])
    assert found == sorted(found)
    assert found != numbers


def test_the_cache_gives_what_decoding_gives(counting: str, tmp_path: Path) -> None:
    cached = ClipSource(crop=SOURCE.crop, num_frames=8, frame_stride=2, cache=tmp_path)
    direct = ClipMaker(SOURCE).center_clip(counting)
    for _ in range(2):  # written, then read back
        assert (ClipMaker(cached).center_clip(counting) - direct).abs().max() <= 0.5
    assert len(list(tmp_path.iterdir())) == 1
    several = ClipSource(
        crop=SOURCE.crop, num_frames=8, frame_stride=2, cache=tmp_path, cache_clips=3
    )
    clips = ClipMaker(several).random_clips(
        counting, augmentation=PLAIN, rngs=generators(*range(12))
    )
    assert {frame_numbers(clip)[0] for clip in clips} == {0, 22, 44}


def test_pictures_for_image_models(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    Image.fromarray(moving("static", 0, num_frames=1)[0]).save(path)
    source = ClipSource(crop=CropPlan(36, 32, 1, "bicubic"), num_frames=1)
    assert ClipMaker(source).center_clip(str(path)).shape == (3, 32, 32)
    clips = ClipMaker(source).random_clips(str(path), augmentation=PLAIN, rngs=generators(1, 2))
    assert [clip.shape for clip in clips] == [(3, 32, 32)] * 2


def test_bad_pictures(tmp_path: Path) -> None:
    whole, cut, text = tmp_path / "whole.png", tmp_path / "cut.png", tmp_path / "text.png"
    Image.fromarray(moving("static", 0, num_frames=1)[0]).save(whole)
    cut.write_bytes(whole.read_bytes()[:500])
    text.write_text("no picture")
    for path, kind in (
        (tmp_path / "gone.png", "not_found"),
        (text, "not_a_video"),
        (cut, "corrupt"),
    ):
        with pytest.raises(MediaError) as caught:
            read_picture(str(path))
        assert caught.value.kind == kind


def test_pictures_and_cached_clips_are_read_once(tmp_path: Path, counting: str) -> None:
    path = tmp_path / "x.png"
    Image.fromarray(moving("static", 0, num_frames=1)[0]).save(path)
    maker = ClipMaker(ClipSource(crop=CropPlan(36, 32, 1, "bicubic"), num_frames=1))
    first = maker.center_clip(str(path))
    path.unlink()
    assert torch.equal(maker.center_clip(str(path)), first)
    cached = ClipMaker(replace(SOURCE, cache=tmp_path / "cache"))
    first = cached.center_clip(counting)
    for kept in (tmp_path / "cache").iterdir():
        kept.unlink()
    cached.close()
    assert torch.equal(cached.center_clip(counting), first)
    assert not list((tmp_path / "cache").iterdir())


def test_validation_sees_the_whole_frame_where_the_model_does(tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    frames = np.zeros((20, 48, 128, 3), dtype=np.uint8)
    frames[:, :, :32] = frames[:, :, 96:] = 255
    write_frames(path, frames)
    for cache in (None, tmp_path / "cache"):
        for squash, bright in ((False, False), (True, True)):
            crop = CropPlan(36, 32, 1, squash=squash)
            source = ClipSource(crop=crop, num_frames=4, frame_stride=2, cache=cache)
            assert (ClipMaker(source).center_clip(str(path)).mean() > 64) == bright
