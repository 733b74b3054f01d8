"""What `auto` means, on machines small and large."""

import pytest
import torch

from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.errors import UsageError
from hiera_cli.inference import open as pipeline
from hiera_cli.inference.open import (
    automatic_batch_size,
    automatic_workers,
    loader_options,
    model_threads,
)
from hiera_cli.options import EngineOptions

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


def test_numbers_win_over_auto_and_nonsense_is_refused() -> None:
    options = EngineOptions(device="cpu", batch_size="3", workers="5")
    loader = loader_options(options, KINETICS, "fast")
    assert (loader.batch_size, loader.workers) == (3, 5)
    for bad in ("0", "many", "-1", "2.5"):
        with pytest.raises(UsageError, match="--workers"):
            loader_options(EngineOptions(device="cpu", workers=bad), KINETICS, "fast")
