"""What `auto` means, on machines small and large."""

from pathlib import Path

import pytest
import torch

from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.errors import UsageError, WeightsError
from hiera_cli.inference import open as pipeline
from hiera_cli.inference.backend import Wanted
from hiera_cli.inference.open import (
    automatic_batch_size,
    automatic_workers,
    loader_options,
    model_threads,
    open_engine,
)
from hiera_cli.options import EngineOptions
from tests.models import save_tiny

KINETICS = Preprocessing()
SMALL = Preprocessing(crop_size=64, short_side=64)
IMAGE = Preprocessing(num_frames=1)


@pytest.mark.parametrize(
    ("preprocessing", "on_cpu", "on_gpu"), [(KINETICS, 2, 32), (SMALL, 24, 392), (IMAGE, 32, 512)]
)
def test_a_batch_holds_as_many_pixels_whatever_the_view(preprocessing, on_cpu, on_gpu) -> None:
    assert automatic_batch_size(preprocessing, on_gpu=False) == on_cpu
    assert automatic_batch_size(preprocessing, on_gpu=True) == on_gpu


@pytest.mark.parametrize(
    ("cores", "large", "small", "gpu"),
    [(1, 1, 1, 1), (2, 1, 2, 1), (4, 1, 4, 3), (16, 4, 16, 15), (96, 16, 16, 16)],
)
def test_workers_go_where_decoding_is_the_narrow_place(cores, large, small, gpu) -> None:
    assert automatic_workers(KINETICS, on_gpu=False, cores=cores) == large
    assert automatic_workers(SMALL, on_gpu=False, cores=cores) == small
    assert automatic_workers(KINETICS, on_gpu=True, cores=cores) == gpu


def test_a_small_model_leaves_the_cores_to_the_decoders(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    cpu, told = EngineOptions(device="cpu"), EngineOptions(device="cpu", threads=6)
    try:
        torch.set_num_threads(6)
        for cores, small in ((1, 1), (2, 1), (8, 2), (64, 6)):
            monkeypatch.setattr(pipeline, "usable_cores", lambda cores=cores: cores)
            assert model_threads(cpu, SMALL) == small
            assert model_threads(cpu, KINETICS) == 6
            assert model_threads(told, SMALL) == 6
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("has_gpu", [False, True])
def test_batches_lie_in_pinned_memory_when_a_gpu_fetches_them(
    monkeypatch: pytest.MonkeyPatch, has_gpu: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_gpu)
    assert loader_options(EngineOptions(), KINETICS, "fast").pin_memory is has_gpu
    assert not loader_options(EngineOptions(device="cpu"), KINETICS, "fast").pin_memory


def test_frames_are_resized_where_the_model_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert loader_options(EngineOptions(device="cpu"), KINETICS, "fast").device is None
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert loader_options(EngineOptions(), KINETICS, "fast").device == torch.device("cuda")
    assert loader_options(EngineOptions(device="cpu"), KINETICS, "fast").device is None
    exported = EngineOptions(backend="onnx")
    assert loader_options(exported, KINETICS, "fast").device is None


def test_numbers_win_over_auto_and_nonsense_is_refused() -> None:
    options = EngineOptions(device="cpu", batch_size="3", workers="5")
    loader = loader_options(options, KINETICS, "fast")
    assert (loader.batch_size, loader.workers) == (3, 5)
    for bad in ("0", "many", "-1", "2.5"):
        with pytest.raises(UsageError, match="--workers"):
            loader_options(EngineOptions(device="cpu", workers=bad), KINETICS, "fast")


def test_another_input_size_changes_the_clip_and_the_positions(tmp_path: Path) -> None:
    folder = save_tiny(tmp_path / "model")
    usual = open_engine(EngineOptions(model=str(folder)))
    longer = open_engine(EngineOptions(model=str(folder), input_size="8x96"))
    assert longer.loader.protocol.num_frames == 8
    assert longer.loader.preprocessing.crop_size == 96
    size = usual.loaded.model.config.input_size[-1]
    short_side = usual.loader.preprocessing.short_side
    assert longer.loader.preprocessing.short_side == round(96 * short_side / size)
    assert longer.loaded.model.config.input_size == (8, 96, 96)
    scores = longer.backend.run(torch.zeros(1, 3, 8, 96, 96), Wanted()).wait().scores
    assert scores is not None
    assert scores.shape == (1, usual.loaded.model.config.num_classes)


@pytest.mark.parametrize("text", ["", "x", "8x", "0x64", "8x64x64", "eight", "8x-64"])
def test_input_sizes_that_mean_nothing(text: str) -> None:
    with pytest.raises(UsageError, match="--input-size"):
        EngineOptions(input_size=text)


def test_an_input_size_must_fit_the_model(tmp_path: Path) -> None:
    folder = save_tiny(tmp_path / "model")
    with pytest.raises(UsageError, match="does not fit"):
        open_engine(EngineOptions(model=str(folder), input_size="64"))
    with pytest.raises(WeightsError, match="mask units"):
        open_engine(EngineOptions(model=str(folder), input_size="7x65"))
