import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hiera_cli.errors import MediaError
from hiera_cli.video.crops import CropPlan, Interpolation, crop_frame, crop_frames, crop_offsets
from hiera_cli.video.size import resized_size

ONE = CropPlan(short_side=256, crop_size=224, num_crops=1)
THREE = CropPlan(short_side=224, crop_size=224, num_crops=3)


def random_frame(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def resize_reference(frame: np.ndarray, height: int, width: int) -> torch.Tensor:
    """Bilinear without antialiasing, on the whole frame, in float64."""
    pixels = torch.from_numpy(frame).permute(2, 0, 1)[None].double()
    return F.interpolate(pixels, size=(height, width), mode="bilinear", align_corners=False)[0]


def test_the_center_offset_is_rounded_up() -> None:
    assert crop_offsets(256, 341, ONE) == ((16, 59),)
    assert crop_offsets(224, 299, THREE) == ((0, 0), (0, 38), (0, 75))
    assert crop_offsets(299, 224, THREE) == ((0, 0), (38, 0), (75, 0))


@pytest.mark.parametrize("size", [(240, 320), (320, 240), (256, 340), (101, 77), (16, 1024)])
@pytest.mark.parametrize("plan", [ONE, THREE], ids=["one", "three"])
def test_crops_are_cut_from_the_resized_frame(size: tuple[int, int], plan: CropPlan) -> None:
    frame = random_frame(*size)
    height, width = resized_size(*size, plan.short_side)
    whole = resize_reference(frame, height, width)
    crops = torch.stack(crop_frame(frame, plan))
    assert crops.shape == (plan.num_crops, 3, 224, 224)
    assert crops.dtype == torch.float32
    for crop, (y, x) in zip(crops, crop_offsets(height, width, plan), strict=True):
        expected = whole[:, y : y + 224, x : x + 224]
        torch.testing.assert_close(crop.double(), expected, rtol=0, atol=0.1)
        assert (crop - expected).abs().mean() < 5e-3


@pytest.mark.parametrize("size", [(120, 160), (144, 180), (720, 1280), (256, 340), (340, 256)])
@pytest.mark.parametrize("plan", [ONE, THREE, CropPlan(109, 96, 1)], ids=["one", "three", "small"])
def test_bilinear_crops_are_those_of_pytorch(size: tuple[int, int], plan: CropPlan) -> None:
    frame = random_frame(*size)
    height, width = resized_size(*size, plan.short_side)
    pixels = torch.from_numpy(frame).permute(2, 0, 1)[None].float()
    whole = F.interpolate(pixels, size=(height, width), mode="bilinear", align_corners=False)[0]
    side = plan.crop_size
    offsets = crop_offsets(height, width, plan)
    for crop, (y, x) in zip(crop_frame(frame, plan), offsets, strict=True):
        expected = whole[:, y : y + side, x : x + side]
        torch.testing.assert_close(crop, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", [(120, 160), (160, 90), (40, 1000), (96, 96)])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_a_squashed_view_is_the_whole_frame(
    size: tuple[int, int], interpolation: Interpolation
) -> None:
    frame = random_frame(*size)
    plan = CropPlan(109, 96, 1, interpolation, squash=True)
    pixels = torch.from_numpy(frame).permute(2, 0, 1)[None].float()
    expected = F.interpolate(
        pixels,
        size=(96, 96),
        mode=interpolation,
        align_corners=False,
        antialias=interpolation == "bicubic",
    )[0].clamp(0, 255)
    (crop,) = crop_frame(frame, plan)
    torch.testing.assert_close(crop, expected, rtol=0, atol=1e-4)
    (crops,) = crop_frames(torch.from_numpy(frame)[None], plan)
    torch.testing.assert_close(crops[0], expected, rtol=0, atol=1e-4)


def test_three_crops_are_never_squashed() -> None:
    frame = random_frame(60, 100)
    crops = crop_frame(frame, CropPlan(32, 32, 3, squash=True))
    for crop, expected in zip(crops, crop_frame(frame, CropPlan(32, 32, 3)), strict=True):
        assert torch.equal(crop, expected)


def test_a_frame_of_the_right_size_keeps_its_values() -> None:
    frame = random_frame(256, 256)
    crop = crop_frame(frame, ONE)[0]
    assert torch.equal(crop, torch.from_numpy(frame[16:240, 16:240]).permute(2, 0, 1).float())


def test_an_absurdly_long_frame_costs_no_more_than_its_crops() -> None:
    crops = crop_frame(random_frame(1, 60000), THREE)
    assert [crop.shape for crop in crops] == [(3, 224, 224)] * 3


def test_images_are_resized_bicubically_with_antialiasing() -> None:
    frame = np.zeros((512, 512, 3), np.uint8)
    frame[:, ::2] = 255  # stripes of one pixel: antialiasing makes them gray
    crop = crop_frame(frame, CropPlan(256, 224, 1, "bicubic"))[0]
    assert crop.sub(127.5).abs().max() < 10
    with pytest.raises(MediaError) as error:
        crop_frame(random_frame(1, 200000), CropPlan(256, 224, 1, "bicubic"))
    assert error.value.kind == "too_large"
