import numpy as np
import pytest
import torch

from hiera_cli.training.data.augmentation import (
    ASPECT_RANGE,
    WHOLE,
    Augmentation,
    Box,
    RandomCrop,
    augment_clip,
    draw_box,
    erase,
    rand_augment,
    resized_crop,
)


def generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def noise(*shape: int) -> torch.Tensor:
    return torch.from_numpy(generator(0).integers(0, 256, shape, dtype=np.uint8))


def test_boxes_keep_area_aspect_and_borders() -> None:
    areas = []
    for seed in range(300):
        box = draw_box(
            90, 160, area_range=(0.2, 1.0), aspect_range=ASPECT_RANGE, rng=generator(seed)
        )
        assert min(box.top, box.left) >= 0
        assert max(box.top + box.height, box.left + box.width) <= 1 + 1e-9
        aspect = box.width * 160 / (box.height * 90)
        assert ASPECT_RANGE[0] - 1e-9 <= aspect <= ASPECT_RANGE[1] + 1e-9
        areas.append(box.width * box.height)
    assert min(areas) > 0.19
    assert max(areas) < 0.76  # 4:3 inside 16:9
    assert np.std(areas) > 0.1


def test_when_nothing_fits_the_box_is_the_largest_centered_one() -> None:
    box = draw_box(10, 100, area_range=(1.0, 1.0), aspect_range=ASPECT_RANGE, rng=generator(0))
    assert (box.top, box.height) == (0, 1)
    assert box.width == pytest.approx(10 * 4 / 3 / 100)
    assert box.left == pytest.approx((1 - box.width) / 2)


def test_a_crop_without_resizing_is_exact() -> None:
    frames = noise(2, 8, 8, 3).numpy()
    cut = resized_crop(frames, Box(0.25, 0.5, 0.5, 0.5), size=(4, 4))
    assert cut.dtype == torch.uint8
    expected = torch.from_numpy(frames[:, 2:6, 4:8]).permute(3, 0, 1, 2)
    assert torch.equal(cut, expected)


def test_resizing_is_bilinear() -> None:
    frames = np.zeros((1, 1, 2, 3), dtype=np.uint8)
    frames[0, 0, 1] = 100
    assert resized_crop(frames, WHOLE, size=(1, 4))[0, 0, 0].tolist() == [0, 25, 75, 100]


def test_all_frames_of_a_clip_get_the_same_crop() -> None:
    crop = RandomCrop(Augmentation(size=16, min_area=0.3), generator(5))
    frames = noise(1, 40, 60, 3).numpy()
    assert torch.equal(crop(frames), crop(frames))
    other = RandomCrop(Augmentation(size=16, min_area=0.3), generator(6))
    assert not torch.equal(crop(frames), other(frames))


def test_a_squashed_crop_may_be_as_wide_as_the_frame() -> None:
    columns = np.tile(np.arange(200, dtype=np.uint8)[None, None, :, None], (1, 50, 1, 3))
    for squash in (True, False):
        widths = []
        for seed in range(20):
            crop = RandomCrop(Augmentation(size=20, min_area=0.9, squash=squash), generator(seed))
            line = crop(columns)[0, 0, 0].int()
            widths.append(int(line[-1] - line[0]))
        assert (max(widths) > 170) == squash


def test_a_clip_stays_as_it_is_when_nothing_may_happen() -> None:
    clip = noise(3, 2, 8, 8)
    assert torch.equal(augment_clip(clip, Augmentation(size=8), rng=generator(0)), clip)


def test_rand_augment_changes_all_frames_alike_and_depends_on_its_generator_only() -> None:
    frame = noise(3, 1, 16, 16)
    clip = frame.expand(3, 4, 16, 16).contiguous()
    before = torch.random.get_rng_state()
    changed = 0
    for seed in range(12):
        result = rand_augment(clip, magnitude=7.0, std=0.5, rng=generator(seed))
        assert result.dtype == torch.uint8
        assert result.shape == clip.shape
        assert torch.equal(result, result[:, :1].expand_as(result))
        again = rand_augment(clip, magnitude=7.0, std=0.5, rng=generator(seed))
        assert torch.equal(result, again)
        changed += not torch.equal(result, clip)
    assert changed >= 8
    assert torch.equal(torch.random.get_rng_state(), before)


def test_erasing_replaces_one_box() -> None:
    clip = torch.full((3, 2, 32, 32), 255, dtype=torch.uint8)
    for seed in range(20):
        gone = (erase(clip, rng=generator(seed)) != 255).any(dim=0)
        rows, columns = gone.any(0).any(1), gone.any(0).any(0)
        area = rows.sum().item() * columns.sum().item() / 32**2
        assert 0.01 < area < 0.36
        inside = gone[:, rows][:, :, columns]
        assert inside.float().mean() > 0.95
    assert torch.equal(clip, torch.full_like(clip, 255))  # the input stays
