"""What `--dtype auto` goes by on the CPU."""

import json

import pytest

from hiera_cli.inference import precision
from hiera_cli.inference.open import open_engine
from hiera_cli.inference.precision import exactly, keep_record, measured_dtype, read_record
from hiera_cli.options import EngineOptions
from tests.model.networks import CLIP


@pytest.fixture(autouse=True)
def native(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_bfloat16", lambda: True)


def options(tmp_path, **changes) -> EngineOptions:
    return EngineOptions(**{"device": "cpu", "cache_dir": str(tmp_path), **changes})


def keep(tmp_path, *, gain: float) -> str:
    path = keep_record(CLIP, model="m", gain=gain, deviation=0.01, cache_dir=str(tmp_path))
    return str(path)


def test_without_a_measurement_auto_is_float32(tmp_path) -> None:
    assert measured_dtype(options(tmp_path), CLIP) == "float32"


def test_auto_is_bfloat16_where_it_was_measured_faster(tmp_path) -> None:
    keep(tmp_path, gain=0.99)
    assert measured_dtype(options(tmp_path), CLIP) == "float32"
    keep(tmp_path, gain=1.5)
    assert measured_dtype(options(tmp_path), CLIP) == "bfloat16"
    assert measured_dtype(options(tmp_path, backend="onnx"), CLIP) == "float32"
    assert measured_dtype(options(tmp_path, dtype="float32"), CLIP) == "float32"
    assert exactly(options(tmp_path)).dtype == "float32"


def test_a_measurement_counts_on_the_machine_and_pytorch_that_it_was_made_with(tmp_path) -> None:
    path = keep(tmp_path, gain=1.5)
    with open(path) as file:
        made = json.load(file)
    for name in ("machine", "torch"):
        with open(path, "w") as file:
            json.dump({**made, name: "another"}, file)
        assert read_record(CLIP, cache_dir=str(tmp_path)) is None
    with open(path, "w") as file:
        file.write("{")
    assert measured_dtype(options(tmp_path), CLIP) == "float32"


def test_a_processor_without_bfloat16_is_not_asked(tmp_path, monkeypatch) -> None:
    keep(tmp_path, gain=1.5)
    monkeypatch.setattr(precision, "has_bfloat16", lambda: False)
    assert measured_dtype(options(tmp_path), CLIP) == "float32"


def test_an_engine_rounds_only_when_it_may(tmp_path) -> None:
    exact = open_engine(options(tmp_path, model="camera-motion"))
    keep_record(
        exact.loaded.model.config, model="m", gain=2.0, deviation=0.0, cache_dir=str(tmp_path)
    )
    may = open_engine(options(tmp_path, model="camera-motion"), exact=False)
    assert "float32" in open_engine(options(tmp_path, model="camera-motion")).backend.name
    assert "bfloat16" in may.backend.name
