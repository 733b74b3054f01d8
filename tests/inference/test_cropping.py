"""Crops made where the model is are those that workers make."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.inference import cropping
from hiera_cli.inference.cropping import Cropper
from hiera_cli.inference.loader import LoaderOptions, load_batches
from hiera_cli.inputs import InputPath
from hiera_cli.video.crops import CropPlan, crop_frame, crop_frames
from hiera_cli.video.protocols import make_protocol
from tests.media import write_clip

CPU = torch.device("cpu")
LEVELS = 1e-4 * 0.225 * 255  # what 1e-4 of a normalised value is of a pixel in 0..255


def frames(num: int, height: int, width: int) -> np.ndarray:
    shape = (num, height, width, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("num_crops", [1, 3])
@pytest.mark.parametrize("size", [(48, 64), (64, 48), (40, 40), (37, 90)])
def test_a_clip_at_once_is_its_frames_one_by_one(size, num_crops, interpolation) -> None:
    plan = CropPlan(40, 32, num_crops, interpolation)
    clip = frames(3, *size)
    at_once = crop_frames(torch.from_numpy(clip), plan)
    assert len(at_once) == num_crops
    for index, frame in enumerate(clip):
        for ours, theirs in zip(at_once, crop_frame(frame, plan), strict=True):
            torch.testing.assert_close(ours[index], theirs, atol=LEVELS, rtol=0)


def test_frames_that_are_large_or_odd_are_cropped_by_the_worker(monkeypatch) -> None:
    monkeypatch.setattr(cropping, "MAX_WHOLE_PIXELS", 50 * 50)
    plan = CropPlan(40, 32, 3)
    on_cpu, on_device = Cropper(plan, None), Cropper(plan, CPU)
    small, large, long = frames(1, 48, 48)[0], frames(1, 60, 60)[0], frames(1, 8, 100)[0]
    assert isinstance(on_device.keep(small), torch.Tensor)
    assert all(isinstance(on_device.keep(frame), tuple) for frame in (large, long))
    assert isinstance(on_cpu.keep(small), tuple)
    for clip in ([small, small], [small, large, long], [large, large]):
        ours = on_device.clip([on_device.keep(frame) for frame in clip])
        theirs = on_cpu.clip([on_cpu.keep(frame) for frame in clip])
        for mine, expected in zip(ours, theirs, strict=True):
            torch.testing.assert_close(mine, expected, atol=LEVELS, rtol=0)


def test_what_is_kept_of_a_frame_survives_the_next_one() -> None:
    frame = frames(1, 48, 48)[0]
    before = frame.copy()
    kept = Cropper(CropPlan(40, 32, 1), CPU).keep(frame)
    frame[:] = 0
    assert torch.equal(kept, torch.from_numpy(before))


@pytest.mark.parametrize("crops", [1, 3])
def test_batches_hold_the_same_views(tmp_path: Path, crops: int) -> None:
    names = [f"{number}.mp4" for number in range(3)]
    for number, name in enumerate(names):
        write_clip(tmp_path / name, 10 + number)
    files = [InputPath(str(tmp_path / name), name) for name in names]
    protocol = make_protocol("balanced", clips=2, crops=crops, num_frames=4, frame_stride=2)
    look = Preprocessing(num_frames=4, frame_stride=2, crop_size=32, short_side=37)
    options = LoaderOptions(protocol=protocol, preprocessing=look, batch_size=4, isolate=False)
    expected = list(load_batches(files, options))
    found = list(load_batches(files, replace(options, device=CPU)))
    for ours, theirs in zip(found, expected, strict=True):
        assert [s.crop_index for s in ours.slots] == [s.crop_index for s in theirs.slots]
        torch.testing.assert_close(ours.pixels, theirs.pixels, atol=LEVELS, rtol=0)
