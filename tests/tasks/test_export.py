from pathlib import Path

import pytest
import torch
from torch import nn

from hiera_cli.checkpoints.open import open_model
from hiera_cli.errors import UsageError
from hiera_cli.exports.record import ExportRecord, export_folder, read_record
from hiera_cli.exports.runtimes import open_export
from hiera_cli.exports.variants import RUNNABLE, find_variant
from hiera_cli.files import replacing_folder
from hiera_cli.inference.backend import Wanted, make_backend
from hiera_cli.inference.pixel_model import pixel_model
from hiera_cli.inputs import expand_inputs
from hiera_cli.tasks.export import (
    ExportDeviatesError,
    export_model,
    read_views,
    to_uint8,
    verify,
    write_variant,
)
from tests.models import random_views, tiny_loaded_model

# what torch.export, the ONNX exporter and NNCF warn about is their own
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module", params=["torch-export", "onnx", "openvino"])
def export(request, tmp_path_factory) -> tuple[Path, ExportRecord, Path]:
    """The tiny model exported into a cache: (folder, record, cache)."""
    for package in RUNNABLE[request.param].packages if request.param in RUNNABLE else ():
        pytest.importorskip(package)
    cache = tmp_path_factory.mktemp("cache")
    loaded = tiny_loaded_model()
    variant = find_variant(request.param, int8=False)
    folder = export_folder(loaded.weights_sha256, variant, cache_dir=str(cache))
    return folder, export_model(loaded, variant, folder, views=random_views(3)), cache


def test_the_record_says_how_close_the_export_is(export) -> None:
    folder, record, _ = export
    assert read_record(folder) == record
    assert record.deviation < 1e-4
    assert record.feature_cosine > 0.9999
    assert record.top1_agreement == 1.0
    assert record.num_clips == 3
    assert record.seconds > 0


@pytest.mark.parametrize("num_views", [1, 5])
def test_an_export_takes_uint8_of_any_batch_size(export, num_views) -> None:
    folder, record, _ = export
    variant = find_variant(record.variant, int8=False)
    pixels = to_uint8(random_views(num_views, seed=7))
    with torch.inference_mode():
        logits, features = pixel_model(tiny_loaded_model())(pixels)
    ours = open_export(folder, variant, takes="uint8")(pixels.numpy())
    torch.testing.assert_close(torch.from_numpy(ours[0]), logits, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(torch.from_numpy(ours[1]), features, rtol=1e-4, atol=1e-4)


def test_the_backend_of_an_export_gives_what_torch_gives(export) -> None:
    _, record, cache = export
    if record.variant not in RUNNABLE:
        pytest.skip("has no backend")
    loaded = tiny_loaded_model()
    exported = make_backend(loaded, name=record.variant, device="cpu", cache_dir=str(cache))
    eager = make_backend(loaded, name="torch", device="cpu")
    pixels, wanted = random_views(3, seed=9), Wanted(scores=True, layer="final")
    got, expected = exported.run(pixels, wanted), eager.run(pixels, wanted)
    torch.testing.assert_close(got.scores, expected.scores, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(got.features, expected.features, rtol=1e-4, atol=1e-4)
    with pytest.raises(UsageError, match="do not have --layer stage2"):
        exported.run(pixels, Wanted(layer="stage2"))


@pytest.mark.slow
def test_int8_of_a_trained_model_says_nearly_the_same(tmp_path) -> None:
    for package in RUNNABLE["openvino-int8"].packages:
        pytest.importorskip(package)
    loaded = open_model("camera-motion")
    samples = list(expand_inputs([str(Path(__file__).parents[2] / "sample_videos")]))
    views = read_views(samples, loaded.preprocessing, num_views=20)
    record = export_model(
        loaded,
        find_variant("openvino", int8=True),
        tmp_path / "int8",
        views=views[::2],
        calibration=views[1::2],
    )
    assert 1e-5 < record.deviation < 0.5  # quantised indeed, and not broken
    assert record.feature_cosine > 0.98
    assert record.top1_agreement >= 0.9


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
    with pytest.raises(ExportDeviatesError, match=r"outputs by 1\.0e-02"):
        verify(module, tmp_path, variant, random_views(2))


def _fail_while_replacing(folder: Path) -> None:
    with replacing_folder(folder) as part:
        (part / "new").write_text("new")
        raise ZeroDivisionError


def test_a_failing_export_leaves_what_was_there(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "old").write_text("old")
    with pytest.raises(ZeroDivisionError):
        _fail_while_replacing(kept)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (kept / "old").read_text() == "old"
    with replacing_folder(kept) as part:
        (part / "new").write_text("new")
    assert [path.name for path in kept.iterdir()] == ["new"]


def test_only_known_formats_and_int8_where_it_works() -> None:
    with pytest.raises(UsageError, match="cannot export 'tflite'"):
        find_variant("tflite", int8=False)
    with pytest.raises(UsageError, match="cannot export int8 'torch-export'"):
        find_variant("torch-export", int8=True)


def test_to_uint8_rounds_and_keeps_the_range() -> None:
    assert to_uint8(torch.tensor([-0.2, 0.49, 0.51, 254.6, 255.4])).tolist() == [0, 0, 1, 255, 255]
