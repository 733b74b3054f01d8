"""What only a GPU can show: its backend against the CPU's, and batches that overlap."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from hiera_cli.checkpoints.open import LoadedModel, open_model
from hiera_cli.inference import engine
from hiera_cli.inference.backend import TorchBackend, Wanted
from hiera_cli.inference.engine import VideoResult
from hiera_cli.inference.loader import Batch, LoaderOptions
from hiera_cli.video.sampling import PROTOCOLS
from tests.inference.test_engine import FILES, end, view

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU with CUDA")
NUM_BATCHES = 12
FUSED_ATTENTION = ("flash", "efficient", "cudnn")  # PyTorch's names for its kernels


@pytest.fixture
def loaded() -> LoadedModel:
    return open_model("camera-motion")


def backend(loaded: LoadedModel, device: str, dtype: torch.dtype = torch.float32) -> TorchBackend:
    place = torch.device(device)
    return TorchBackend(loaded, device=place, dtype=dtype, compiled=False, threads=1)


def pixels(num_views: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 255 * torch.rand(num_views, 3, 16, 64, 64, generator=generator)


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(torch.float32, 1e-4), (torch.float16, 2e-2), (torch.bfloat16, 1e-1)],
)
def test_scores_and_features_are_those_of_the_cpu(loaded, dtype, tolerance) -> None:
    wanted = Wanted(layer="final")
    expected = backend(loaded, "cpu").run(pixels(4, 0), wanted)
    output = backend(open_model("camera-motion"), "cuda", dtype).run(pixels(4, 0), wanted).wait()
    torch.testing.assert_close(output.scores, expected.scores, atol=tolerance, rtol=tolerance)
    close = torch.nn.functional.cosine_similarity(output.features, expected.features)
    assert close.min() > 1 - tolerance


def test_every_attention_is_one_fused_kernel(loaded: LoadedModel) -> None:
    gpu = backend(loaded, "cuda", torch.float16)
    with torch.profiler.profile() as profile:
        gpu.run(pixels(4, 0), Wanted()).wait()
    calls = {event.key: event.count for event in profile.key_averages()}
    fused = [f"aten::_scaled_dot_product_{kind}_attention" for kind in FUSED_ATTENTION]
    assert sum(calls.get(name, 0) for name in fused) == sum(loaded.model.config.stages)


def test_overlapping_batches_do_not_disturb_each_other(
    loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each batch alone gives what it gives while others are uploaded and computed."""
    gpu = backend(loaded, "cuda")
    loader = LoaderOptions(protocol=PROTOCOLS["fast"], preprocessing=loaded.preprocessing)
    alone = [
        gpu.run(pixels(8, seed), Wanted()).wait().scores.mean(0) for seed in range(NUM_BATCHES)
    ]

    def load(inputs, _):
        list(inputs)
        for seed in range(NUM_BATCHES):
            slots = tuple(view(seed, clip, 0, 0.0)[0] for clip in range(8))
            ended = replace(end(0), video_index=seed)
            yield Batch(pixels(8, seed).pin_memory(), slots, (ended,))

    monkeypatch.setattr(engine, "load_batches", load)
    files = [FILES[0]] * NUM_BATCHES
    results = list(engine.run(files, gpu, loader=loader, wanted=Wanted()))
    assert all(isinstance(result, VideoResult) for result in results)
    for result, scores in zip(results, alone, strict=True):
        np.testing.assert_allclose(result.scores, scores, atol=1e-6)
