import pytest
import torch

from hiera_cli.inference.backend import make_backend
from hiera_cli.tasks.benchmark.comparison import Setting
from hiera_cli.tasks.benchmark.sweep import SweepPoint, suggest_batch_size, sweep_batches
from tests.models import tiny_loaded_model


def test_the_smallest_batch_that_is_nearly_best() -> None:
    rates = {1: 50.0, 2: 98.0, 4: 100.0, 8: 99.0}
    sweep = [SweepPoint(size, size / rate, rate, 10.0) for size, rate in rates.items()]
    assert suggest_batch_size(sweep) == 2


def test_the_sweep_measures_every_batch_size() -> None:
    loaded = tiny_loaded_model()
    backend = make_backend(loaded, device="cpu")
    setting = Setting(torch.device("cpu"), torch.float32, rounds=1)
    sweep = sweep_batches(loaded, backend, (2, 1), setting, gflops=1.0, peak=100.0)
    assert [point.batch_size for point in sweep] == [1, 2]
    for point in sweep:
        assert point.views_per_second == pytest.approx(point.batch_size / point.seconds)
        assert point.percent_of_peak == pytest.approx(point.views_per_second)
