import json
from dataclasses import asdict

import pytest
import torch

from hiera_cli.checkpoints.open import save_model
from hiera_cli.errors import UsageError
from hiera_cli.options import EngineOptions
from hiera_cli.tasks.benchmark import peak
from hiera_cli.tasks.benchmark.baselines import find_baseline
from hiera_cli.tasks.benchmark.comparison import Setting, compare_speed
from hiera_cli.tasks.benchmark.generated import generated_videos
from hiera_cli.tasks.benchmark.peak import count_gflops, matmul_peak_gflops
from hiera_cli.tasks.benchmark.random_model import random_pixels
from hiera_cli.tasks.benchmark.run import BenchmarkOptions, benchmark
from tests.models import tiny_loaded_model

CPU = torch.device("cpu")


def test_flops_of_a_matrix_product_are_two_per_multiply_add() -> None:
    assert count_gflops(torch.nn.Linear(1000, 500, bias=False), (1, 1000)) == pytest.approx(1e-3)


def test_the_machine_has_a_peak(monkeypatch) -> None:
    monkeypatch.setattr("hiera_cli.tasks.benchmark.peak.MATMUL_SECONDS", 0.0)
    monkeypatch.setitem(peak.MATMUL_SIDE, "cpu", 128)
    assert matmul_peak_gflops(CPU, torch.float32) > 0.01


@pytest.mark.filterwarnings("ignore")  # what the packages warn about at import is their own
def test_the_official_network_with_our_weights_gives_our_logits() -> None:
    pytest.importorskip("hiera")
    loaded = tiny_loaded_model()
    setting = Setting(CPU, torch.float32, batch_size=2, rounds=1)
    ours, theirs = compare_speed(loaded, ["hiera-transformer"], setting, peak_gflops=1.0)
    assert (ours.name, theirs.name) == ("tiny", "hiera-transformer")
    assert ours.times_ours == 1.0
    assert theirs.times_ours == pytest.approx(theirs.seconds / ours.seconds)
    assert theirs.deviation is not None
    assert theirs.deviation < 1e-5
    assert theirs.gflops_per_view == pytest.approx(ours.gflops_per_view, rel=1e-6)
    json.dumps(asdict(theirs), allow_nan=False)


def test_unknown_contenders_are_refused() -> None:
    with pytest.raises(UsageError, match="no baseline is called 'alexnet'"):
        find_baseline("alexnet")


def test_noise_is_reproducible_and_in_range() -> None:
    pixels = random_pixels(tiny_loaded_model(), 2)
    assert pixels.shape == (2, 3, 4, 64, 64)
    assert pixels.min() >= 0
    assert pixels.max() <= 255
    assert torch.equal(pixels, random_pixels(tiny_loaded_model(), 2))


def test_a_report_holds_what_was_asked_for(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("hiera_cli.tasks.benchmark.peak.MATMUL_SECONDS", 0.0)
    monkeypatch.setattr("hiera_cli.tasks.benchmark.stages.LONG_ENOUGH_SECONDS", 0.0)
    loaded = tiny_loaded_model()
    save_model(
        tmp_path, loaded.model, labels=loaded.labels, preprocessing=loaded.preprocessing, extra={}
    )
    engine = EngineOptions(model=str(tmp_path), device="cpu", protocol="fast", isolate=False)
    options = BenchmarkOptions(batch_sizes=(1,), rounds=1)
    with generated_videos(num=1, seconds=0.5) as files:
        report = benchmark(files, engine, options)
    assert report.backend == "torch on cpu, float32"
    assert report.suggested_batch_size == 1
    assert report.comparison == report.training == ()
    model, whole = report.stages[-2:]
    ratio = model.seconds_per_view / whole.seconds_per_view
    assert report.percent_of_model == pytest.approx(100 * ratio)
    json.dumps(asdict(report), allow_nan=False)
