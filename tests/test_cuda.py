"""What only a GPU can show: every path against the CPU's, and batches that overlap."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from hiera_cli.checkpoints.open import LoadedModel, open_model
from hiera_cli.inference import engine
from hiera_cli.inference.backend import TorchBackend, Wanted
from hiera_cli.inference.cropping import Cropper
from hiera_cli.inference.engine import VideoResult
from hiera_cli.inference.graphs import GraphedForward, record_on_cuda
from hiera_cli.inference.loader import Batch, LoaderOptions
from hiera_cli.inference.pixel_model import pixel_model
from hiera_cli.model.mae import MaskedAutoencoder
from hiera_cli.model.masking import random_mask, true_indices
from hiera_cli.tasks.benchmark.suite.options import SuiteOptions
from hiera_cli.tasks.benchmark.suite.run import plan_suite, run_suite
from hiera_cli.video.crops import CropPlan
from hiera_cli.video.protocols import PROTOCOLS
from tests.configs import tiny_video
from tests.inference.test_engine import FILES, end, view

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU with CUDA"),
]
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


@torch.inference_mode()
def test_a_cuda_graph_gives_what_the_module_gives(loaded: LoadedModel) -> None:
    module = pixel_model(loaded).cuda()
    graphed = GraphedForward(module, record_on_cuda)
    for num in (4, 2, 6):
        views = pixels(num, num).cuda()
        for ours, theirs in zip(graphed(views), module(views), strict=True):
            torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.filterwarnings("ignore")  # what the compiler warns about is its own
def test_the_compiled_backend_gives_what_the_eager_one_gives(loaded: LoadedModel) -> None:
    wanted = Wanted(layer="final")
    expected = backend(loaded, "cuda").run(pixels(4, 0), wanted).wait()
    place = torch.device("cuda")
    compiled = TorchBackend(loaded, device=place, dtype=torch.float32, compiled=True, threads=1)
    for _ in range(2):
        found = compiled.run(pixels(4, 0), wanted).wait()
        torch.testing.assert_close(found.scores, expected.scores, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_frames_resized_on_the_gpu_are_those_of_the_workers(interpolation) -> None:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (4, 120, 160, 3), dtype=np.uint8)
    plan = CropPlan(64, 56, 3, interpolation)
    crops = {}
    for device in (None, torch.device("cuda")):
        cropper = Cropper(plan, device)
        view = cropper.empty((3, 4, 56, 56), pin_memory=False)
        cropper.write(cropper.clip([cropper.keep(frame) for frame in frames]), 2, view)
        crops[device] = cropper.hand_over(view).cpu()
    difference = (crops[None] - crops[torch.device("cuda")]).abs().max()
    assert difference / 255 / 0.225 < 1e-4


def test_a_masked_step_captured_in_a_graph_has_the_cpus_loss_and_gradients() -> None:
    model = MaskedAutoencoder(tiny_video(64).for_pretraining(), 32, 2, 4)
    x = torch.randn(2, 3, 4, 64, 64)
    mask = random_mask(2, model.grid.num_units, mask_ratio=0.5)
    visible = true_indices(mask, int(mask[0].sum()))
    expected = model(x, visible=visible)[0]
    expected.backward()
    gradients = [p.grad.clone() for p in model.parameters()]
    model.zero_grad(set_to_none=True)
    model.cuda()
    there, units = x.cuda(), visible.cuda()

    def step() -> tuple[torch.Tensor, ...]:
        model.zero_grad(set_to_none=True)
        loss = model(there, visible=units)[0]
        loss.backward()
        return loss.detach(), *(p.grad for p in model.parameters())

    (loss, *found), replay = record_on_cuda(step)
    replay()
    torch.testing.assert_close(loss.cpu(), expected.detach(), atol=1e-4, rtol=1e-4)
    for ours, theirs in zip(found, gradients, strict=True):
        torch.testing.assert_close(ours.cpu(), theirs, atol=1e-4, rtol=1e-3)


@pytest.mark.filterwarnings("ignore")
def test_every_row_of_the_suite_is_measured(tmp_path) -> None:
    options = SuiteOptions(device="cuda", tiny=True, rounds=1, budget_seconds=1e6)
    rows = list(run_suite(plan_suite(options), options))
    assert [(row.name, row.reason) for row in rows if row.state == "failed"] == []
