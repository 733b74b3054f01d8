import json
from dataclasses import asdict

import pytest
import torch

from hiera_cli.backend import make_backend
from hiera_cli.errors import UsageError
from hiera_cli.tasks.benchmark import (
    BenchmarkOptions,
    SweepPoint,
    find_bottleneck,
    suggest_batch_size,
    suggest_workers,
    sweep_batches,
)
from hiera_cli.tasks.comparison import Setting, compare_speed
from hiera_cli.tasks.machine import count_gflops, matmul_peak_gflops
from hiera_cli.tasks.opponents import find_opponent
from hiera_cli.tasks.random_model import random_pixels
from hiera_cli.tasks.stages import stage
from tests.models import tiny_loaded_model

CPU = torch.device("cpu")


def stages(decode: float, preprocess: float, copy: float, model: float):
    names = ("decode", "preprocess", "copy", "model")
    return [stage(*pair) for pair in zip(names, (decode, preprocess, copy, model), strict=True)]


@pytest.mark.parametrize(
    ("seconds", "workers", "expected"),
    [
        ((0.1, 0.0, 0.0, 1.0), 1, "model"),
        ((2.0, 0.1, 0.0, 1.0), 1, "decode"),
        ((2.0, 0.1, 0.0, 1.0), 4, "model"),
        ((0.5, 0.9, 0.1, 1.0), 1, "preprocess"),
        ((0.1, 0.1, 2.0, 1.0), 1, "copy"),
    ],
)
def test_the_bottleneck_is_what_the_others_wait_for(seconds, workers, expected) -> None:
    assert find_bottleneck(stages(*seconds), workers) == expected


def test_as_many_workers_as_keep_the_model_busy(monkeypatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 16)
    assert suggest_workers(stages(0.1, 0.1, 0.0, 1.0)) == 1
    assert suggest_workers(stages(3.0, 1.0, 0.5, 0.5)) == 5
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert suggest_workers(stages(3.0, 1.0, 0.5, 0.5)) == 2


def test_the_smallest_batch_that_is_nearly_best() -> None:
    rates = {1: 50.0, 2: 98.0, 4: 100.0, 8: 99.0}
    sweep = [SweepPoint(size, size / rate, rate, 10.0) for size, rate in rates.items()]
    assert suggest_batch_size(sweep) == 2


def test_flops_of_a_matrix_product_are_two_per_multiply_add() -> None:
    assert count_gflops(torch.nn.Linear(1000, 500, bias=False), (1, 1000)) == pytest.approx(1e-3)


def test_the_machine_has_a_peak(monkeypatch) -> None:
    monkeypatch.setattr("hiera_cli.tasks.machine.MATMUL_SECONDS", 0.0)
    monkeypatch.setitem(__import__("hiera_cli.tasks.machine").tasks.machine.MATMUL_SIDE, "cpu", 128)
    assert matmul_peak_gflops(CPU, torch.float32) > 0.01


def test_the_sweep_measures_every_batch_size() -> None:
    loaded = tiny_loaded_model()
    backend = make_backend(loaded, device="cpu")
    options = BenchmarkOptions(batch_sizes=(2, 1), rounds=1)
    sweep = sweep_batches(loaded, backend, options, device=CPU, gflops=1.0, peak=100.0)
    assert [point.batch_size for point in sweep] == [1, 2]
    for point in sweep:
        assert point.views_per_second == pytest.approx(point.batch_size / point.seconds)
        assert point.percent_of_peak == pytest.approx(point.views_per_second)


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
    with pytest.raises(UsageError, match="no opponent is called 'alexnet'"):
        find_opponent("alexnet")


def test_noise_is_reproducible_and_in_range() -> None:
    pixels = random_pixels(tiny_loaded_model(), 2)
    assert pixels.shape == (2, 3, 4, 64, 64)
    assert pixels.min() >= 0
    assert pixels.max() <= 255
    assert torch.equal(pixels, random_pixels(tiny_loaded_model(), 2))
