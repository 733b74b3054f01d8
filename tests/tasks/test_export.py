from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from hiera_cli.backend import Wanted, make_backend, pixel_model
from hiera_cli.errors import UsageError
from hiera_cli.exports import RUNNABLE, export_folder, find_variant, open_export, read_record
from hiera_cli.tasks.export import (
    ExportDeviatesError,
    export_model,
    to_uint8,
    verify,
    write_variant,
)
from tests.tiny_model import IMAGE_CONFIG, VIDEO_CONFIG, random_views, tiny_loaded_model

# what torch.export, the ONNX exporter and NNCF warn about is their own
pytestmark = pytest.mark.filterwarnings("ignore")
CASES = [
    pytest.param("torch-export", VIDEO_CONFIG, id="torch-export"),
    pytest.param("onnx", VIDEO_CONFIG, id="onnx"),
    pytest.param("onnx", IMAGE_CONFIG, id="onnx-image"),
    pytest.param("openvino", VIDEO_CONFIG, id="openvino"),
]


def skip_without(variant: str) -> None:
    for package in RUNNABLE[variant].packages if variant in RUNNABLE else ():
        pytest.importorskip(package)


@pytest.mark.parametrize(("format_name", "config"), CASES)
def test_an_export_takes_uint8_of_any_batch_size_and_agrees(format_name, config, tmp_path) -> None:
    skip_without(format_name)
    loaded = tiny_loaded_model(config)
    variant = find_variant(format_name, int8=False)
    folder = tmp_path / "export"
    record = export_model(loaded, variant, folder, views=random_views(3, config))
    assert read_record(folder) == record
    assert record.deviation < 1e-4
    assert record.feature_cosine > 0.9999
    assert record.top1_agreement == 1.0
    assert record.num_clips == 3

    forward = open_export(folder, variant, takes="uint8")
    pixels = to_uint8(random_views(5, config, seed=7))
    with torch.inference_mode():
        logits, features = pixel_model(loaded)(pixels)
    ours = forward(pixels.numpy())
    torch.testing.assert_close(torch.from_numpy(ours[0]), logits, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(torch.from_numpy(ours[1]), features, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_the_backend_of_an_export_gives_what_torch_gives(name, tmp_path) -> None:
    skip_without(name)
    loaded = tiny_loaded_model()
    folder = export_folder(loaded.weights_sha256, RUNNABLE[name], cache_dir=str(tmp_path))
    export_model(loaded, RUNNABLE[name], folder, views=random_views(2))
    exported = make_backend(loaded, name=name, device="cpu", cache_dir=str(tmp_path))
    eager = make_backend(loaded, name="torch", device="cpu")
    pixels, wanted = random_views(3, seed=9), Wanted(scores=True, layer="final")
    got, expected = exported.run(pixels, wanted), eager.run(pixels, wanted)
    torch.testing.assert_close(got.scores, expected.scores, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(got.features, expected.features, rtol=1e-4, atol=1e-4)
    with pytest.raises(UsageError, match="do not have --layer stage2"):
        exported.run(pixels, Wanted(layer="stage2"))


@pytest.mark.slow
def test_int8_is_close_and_its_record_says_how_close(tmp_path) -> None:
    skip_without("openvino-int8")
    loaded = tiny_loaded_model()
    variant = find_variant("openvino", int8=True)
    calibration = random_views(8, seed=3)
    record = export_model(
        loaded, variant, tmp_path / "int8", views=random_views(4), calibration=calibration
    )
    assert 1e-5 < record.deviation < 0.5  # quantised indeed, and not broken
    assert record.feature_cosine > 0.95


def test_int8_needs_clips(tmp_path) -> None:
    with pytest.raises(UsageError, match="calibrate"):
        export_model(
            tiny_loaded_model(), RUNNABLE["openvino-int8"], tmp_path / "x", views=random_views(1)
        )


class _Tampered(nn.Module):
    """A model whose logits are off by one part in a hundred."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits, features = self.module(pixels)
        return logits * 1.01, features


def test_an_export_that_deviates_is_refused(tmp_path: Path) -> None:
    module = pixel_model(tiny_loaded_model())
    variant = find_variant("torch-export", int8=False)
    write_variant(_Tampered(module), variant, tmp_path, example=random_views(1))
    with pytest.raises(ExportDeviatesError, match="outputs by 1.0e-02"):
        verify(module, tmp_path, variant, random_views(2))


def test_nothing_is_kept_when_the_export_fails(tmp_path: Path) -> None:
    loaded = tiny_loaded_model()
    variant = replace(find_variant("torch-export", int8=False), format="onnx", runs=True)
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "old").write_text("old")
    with pytest.raises((ExportDeviatesError, RuntimeError)):
        export_model(loaded, variant, kept, views=torch.full((1, 3, 4, 64, 64), torch.nan))
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (kept / "old").read_text() == "old"
