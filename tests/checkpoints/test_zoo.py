import subprocess
import sys
from dataclasses import replace

import pytest

from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.checkpoints.zoo import (
    BUNDLED_MODEL,
    DEFAULT_MODEL,
    ZOO,
    find_checkpoint,
    find_model,
    published_top1,
    unknown_model,
)
from hiera_cli.errors import UsageError, WeightsError
from tests.parity.official import ARCHITECTURES, official_module


def test_the_ten_official_architectures() -> None:
    assert {model.name for model in ZOO} == set(ARCHITECTURES)
    for model in ZOO:
        values = model.config.to_dict()
        for name, value in ARCHITECTURES[model.name].items():
            expected = list(value) if isinstance(value, tuple) else value
            assert values[name] == expected, (model.name, name)


def test_the_official_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HIERA_CHECKPOINT_URL", raising=False)
    module = official_module("hiera.hiera")
    for model in ZOO:
        official = getattr(module, model.name)
        ours = {
            c.name: f"https://dl.fbaipublicfiles.com/hiera/{c.filename}" for c in model.checkpoints
        }
        assert ours == official.checkpoints
        assert model.checkpoints[0].name == official.default


@pytest.mark.parametrize("model", ZOO, ids=[model.name for model in ZOO])
def test_the_published_size_is_the_size(model) -> None:
    # the paper counts H without rounding up: 671.6 M and 672.8 M
    assert model.config.num_parameters / 1e6 == pytest.approx(model.parameters_millions, abs=1.0)


def test_names() -> None:
    model, checkpoint = find_checkpoint("hiera_base_16x224") or pytest.fail("unknown")
    assert (model.name, checkpoint.name) == (DEFAULT_MODEL, "mae_k400_ft_k400")
    for name in ("hiera_base_16x224.mae_k400", "facebook/hiera_base_16x224.mae_k400"):
        _, checkpoint = find_checkpoint(name) or pytest.fail("unknown")
        assert checkpoint.repository == "facebook/hiera_base_16x224.mae_k400"
        assert checkpoint.filename == "mae_hiera_base_16x224.pth"
        assert not checkpoint.has_head
    _, checkpoint = find_checkpoint("hiera_tiny_224", "mae_in1k") or pytest.fail("unknown")
    assert checkpoint.filename == "mae_hiera_tiny_224.pth"
    assert find_checkpoint(BUNDLED_MODEL) is None
    assert find_checkpoint("./hiera_base_16x224") is None
    assert find_model("hiera_base") is None


def test_a_checkpoint_that_there_is_not() -> None:
    with pytest.raises(UsageError, match="no checkpoint 'mae_in1k'") as caught:
        find_checkpoint("hiera_base_16x224.mae_in1k")
    assert caught.value.hint == "choose one of: mae_k400_ft_k400, mae_k400"
    with pytest.raises(UsageError, match="two different checkpoints"):
        find_checkpoint("hiera_base_16x224.mae_k400", "mae_k400_ft_k400")


def test_a_misspelt_name_gets_the_nearest() -> None:
    assert "hiera_base_16x224" in unknown_model("hiera_bas_16x224").hint
    assert "hiera models list" in unknown_model("resnet").hint
    assert "camera-motion" in unknown_model("camera_motion").hint


def test_published_figures() -> None:
    assert published_top1("hiera_base_16x224", "mae_k400_ft_k400") == 84.0
    assert published_top1("hiera_huge_224", "mae_in1k_ft_in1k") == 86.9
    assert published_top1("hiera_base_16x224", "mae_k400") is None
    assert published_top1("hiera_base_16x224", "mine.pth") is None
    assert published_top1("camera-motion", "model.safetensors") is None


def test_official_preprocessing() -> None:
    video, image = (find_model(f"hiera_base_{s}") or pytest.fail(s) for s in ("16x224", "224"))
    assert video.preprocessing == Preprocessing()
    assert video.preprocessing.mean == (0.45, 0.45, 0.45)
    assert video.preprocessing.std == (0.225, 0.225, 0.225)
    assert image.preprocessing.num_frames == 1
    assert image.preprocessing.interpolation == "bicubic"
    assert (image.preprocessing.short_side, image.preprocessing.crop_size) == (256, 224)
    small = Preprocessing.for_config(replace(video.config, input_size=(8, 96, 96)))
    assert (small.num_frames, small.crop_size, small.short_side) == (8, 96, 110)


def test_preprocessing_survives_json() -> None:
    for model in ZOO:
        assert Preprocessing.from_dict(model.preprocessing.to_dict()) == model.preprocessing


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_frames", 0),
        ("num_frames", 10**9),
        ("num_frames", 16.0),
        ("num_frames", True),
        ("frame_stride", "4"),
        ("crop_size", -224),
        ("short_side", 200),
        ("short_side", None),
        ("mean", 0.45),
        ("mean", [0.45, 0.45]),
        ("mean", [0.45, 0.45, "0.45"]),
        ("mean", [0.45, 0.45, float("nan")]),
        ("std", [0.225, 0.225, 0.0]),
        ("std", [float("inf")] * 3),
        ("interpolation", "nearest"),
        ("interpolation", ["bilinear"]),
    ],
)
def test_hostile_preprocessing_is_refused(name: str, value: object) -> None:
    with pytest.raises(WeightsError, match=f"preprocessing: {name}"):
        Preprocessing.from_dict(Preprocessing().to_dict() | {name: value})


@pytest.mark.parametrize("values", [None, [], "x", {}, {"num_frames": 16}])
def test_preprocessing_needs_all_its_fields(values: object) -> None:
    with pytest.raises(WeightsError, match="expected an object"):
        Preprocessing.from_dict(values)


def test_the_zoo_needs_no_torch() -> None:
    modules = "hiera_cli.checkpoints.zoo, hiera_cli.tasks.models"
    code = f"import sys, {modules}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
