"""Weights in timm's and SAM 2's layouts give what timm's networks give, at several sizes."""

import json

import pytest
import torch
from safetensors.torch import save_file

from hiera_cli.checkpoints.open import open_model
from hiera_cli.training.detection.boxes import make_detector
from hiera_cli.training.detection.options import BoxOptions, BoxRecipe
from hiera_cli.training.initial import open_pretrained

timm = pytest.importorskip("timm")

TOLERANCE = 1e-4


def network(name, **changes):
    """One of timm's, with random weights that all matter."""
    torch.manual_seed(0)
    model = timm.create_model(name, pretrained=False, **changes).eval()
    for key, parameter in model.named_parameters():
        if key.endswith(".gamma"):
            torch.nn.init.normal_(parameter, mean=1.0, std=0.1)
        elif key.startswith("pos_embed"):
            torch.nn.init.normal_(parameter, std=0.5)
    return model


@pytest.fixture(scope="module")
def sam2():
    return network("sam2_hiera_tiny")


def sam2_state(model):
    """As in SAM 2's own files: below the image encoder's trunk, without a head, in `model`."""
    trunk = {
        f"image_encoder.trunk.{name}".replace("mlp.fc1", "mlp.layers.0").replace(
            "mlp.fc2", "mlp.layers.1"
        ): tensor
        for name, tensor in model.state_dict().items()
        if not name.startswith("head.")
    }
    return {"model": {**trunk, "sam_mask_decoder.iou_token.weight": torch.zeros(1, 256)}}


def test_absolute_windows_of_timm(tmp_path):
    model = network("hiera_small_abswin_256")
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    # as on the Hub: timm's config.json names the architecture and describes nothing
    described = {"architecture": "hiera_small_abswin_256", "num_classes": 1000}
    (tmp_path / "config.json").write_text(json.dumps(described))
    loaded = open_model(tmp_path)
    assert loaded.model.config.input_size == (256, 256)
    assert loaded.has_head
    pixels = torch.randn(1, 3, 256, 256)
    with torch.no_grad():
        difference = loaded.model(pixels) - model(pixels)
    assert difference.abs().max() < TOLERANCE


def test_the_trunk_of_sam2(sam2, tmp_path):
    torch.save(sam2_state(sam2), tmp_path / "sam2.1_hiera_tiny.pt")
    loaded = open_model(tmp_path / "sam2.1_hiera_tiny.pt", need_head=False)
    assert (loaded.model.config.input_size, loaded.has_head) == ((224, 224), False)
    pixels = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        ours = loaded.model.forward_stages(pixels)
        theirs = sam2.forward_intermediates(pixels, intermediates_only=True, output_fmt="NHWC")
    assert len(ours) == len(theirs) == 4
    for mine, other in zip(ours, theirs, strict=True):
        assert (mine - other).abs().max() < TOLERANCE * other.abs().max()


def test_the_trunk_of_sam2_in_a_detector(sam2, tmp_path):
    torch.save(sam2_state(sam2), tmp_path / "sam2.pt")
    initial = open_pretrained(str(tmp_path / "sam2.pt"))
    detector = make_detector(initial, BoxOptions(size=448), BoxRecipe(), num_classes=2).eval()
    pixels = torch.randn(1, 3, 448, 448)
    with torch.no_grad():
        ours = detector.pyramid(pixels)
        theirs = sam2.forward_intermediates(pixels, intermediates_only=True)
    for mine, other in zip(ours, theirs, strict=True):
        assert (mine - other).abs().max() < TOLERANCE * other.abs().max()
