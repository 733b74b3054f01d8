import pytest
import torch

from hiera_cli.errors import NoInputError
from hiera_cli.inference.backend import make_backend
from hiera_cli.inference.open import loader_options
from hiera_cli.inputs import InputPath
from hiera_cli.options import EngineOptions
from hiera_cli.tasks.benchmark import stages as home
from hiera_cli.tasks.benchmark.generated import generated_videos
from hiera_cli.tasks.benchmark.stages import (
    find_bottleneck,
    measure_stages,
    percent_of_model,
    stage,
    suggest_workers,
)
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
    monkeypatch.setattr(home, "usable_cores", lambda: 16)
    assert suggest_workers(stages(0.1, 0.1, 0.0, 1.0)) == 1
    assert suggest_workers(stages(3.0, 1.0, 0.5, 0.5)) == 5
    monkeypatch.setattr(home, "usable_cores", lambda: 2)
    assert suggest_workers(stages(3.0, 1.0, 0.5, 0.5)) == 2


def test_end_to_end_is_measured_against_the_model_alone() -> None:
    measured = [*stages(0.1, 0.1, 0.0, 0.9), stage("end to end", 1.0)]
    assert percent_of_model(measured) == pytest.approx(90.0)


def test_every_stage_of_real_reading_takes_time(monkeypatch) -> None:
    monkeypatch.setattr(home, "LONG_ENOUGH_SECONDS", 0.0)
    loaded = tiny_loaded_model()
    backend = make_backend(loaded, device="cpu")
    options = EngineOptions(device="cpu", protocol="fast", batch_size="2", isolate=False)
    loader = loader_options(options, loaded.preprocessing, "fast")
    with generated_videos(num=1, seconds=0.5) as files:
        broken = InputPath("missing.mp4", "missing.mp4")
        measured = measure_stages([*files, broken], backend, loader, loaded=loaded, device=CPU)
        with pytest.raises(NoInputError):
            measure_stages([broken], backend, loader, loaded=loaded, device=CPU)
    names = ("decode", "preprocess", "copy", "model", "end to end")
    assert tuple(one.name for one in measured) == names
    assert all(one.seconds_per_view > 0 for one in measured if one.name != "copy")
    whole = measured[-1]
    assert whole.views_per_second == pytest.approx(1 / whole.seconds_per_view)
