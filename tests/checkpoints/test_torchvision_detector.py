"""torchvision's detectors: what they find from weights in a cache, and when files are fetched."""

import hashlib
import io
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import detection, get_model_weights
from torchvision.models._api import WeightsEnum

from hiera_cli.checkpoints import torchvision_detector
from hiera_cli.checkpoints.torchvision_detector import open_torchvision_detector
from hiera_cli.detection.torchvision_boxes import detect_with_torchvision
from hiera_cli.errors import UsageError, WeightsError

SMALL = "ssdlite320_mobilenet_v3_large"
BATCH_NORMS = ("fasterrcnn_mobilenet_v3_large_320_fpn", SMALL)
LARGE = ("fasterrcnn_resnet50_fpn", "fasterrcnn_resnet50_fpn_v2", "retinanet_resnet50_fpn",
         "keypointrcnn_resnet50_fpn", "fcos_resnet50_fpn")  # fmt: skip


def random_state(name):
    """Weights that nobody trained."""
    torch.manual_seed(0)
    model = detection.__dict__[name](weights=None, weights_backbone=None)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.running_mean, -0.1, 0.1)
            nn.init.uniform_(layer.running_var, 0.5, 1.5)
    return model.state_dict()


def with_every_box(model):
    """The model, however unsure it is of a box."""
    for part in (model, getattr(model, "roi_heads", model)):
        if hasattr(part, "score_thresh"):
            part.score_thresh = 0.0
    return model


@pytest.fixture
def torch_home(tmp_path, monkeypatch):
    """A torch hub cache of its own, and no other."""
    for name in ("HIERA_CACHE", "HIERA_TORCHVISION_URL", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def put(folder, name, state):
    file = folder / get_model_weights(name).DEFAULT.url.rpartition("/")[2]
    torch.save(state, file)
    return file


@pytest.mark.parametrize(
    "name", [*BATCH_NORMS, *(pytest.param(name, marks=pytest.mark.slow) for name in LARGE)]
)
def test_it_finds_what_torchvision_finds(torch_home, monkeypatch, name):
    state = random_state(name)
    put(torch_home, name, state)
    loaded = open_torchvision_detector(f"torchvision:{name}", offline=True)
    monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda *_, **__: state)
    official = with_every_box(detection.__dict__[name](weights="DEFAULT").eval())
    with_every_box(loaded.model)
    rgb = np.random.default_rng(0).integers(0, 255, (60, 90, 3), dtype=np.uint8)
    found = detect_with_torchvision(loaded, rgb)
    with torch.no_grad():
        expected = official([torch.from_numpy(rgb).permute(2, 0, 1) / 255])[0]
    assert len(found.scores) == len(expected["scores"]) > 0
    assert np.allclose(found.scores, expected["scores"], atol=1e-4)
    names = get_model_weights(name).DEFAULT.meta["categories"]
    boxes = zip(expected["boxes"].numpy(), (names[i] for i in expected["labels"]), strict=True)
    labels = np.array([loaded.labels[i] for i in found.labels])
    # in any order, and suppression may keep another of two boxes: scores of untrained weights are
    # nearly equal, and on a CPU with AMX 7 % of the boxes change with the number of threads
    near = [(np.abs(found.corners - box).max(1) < 1e-2) & (labels == label) for box, label in boxes]
    assert np.mean([one.any() for one in near]) > 0.9


def test_nothing_is_fetched_offline_and_unknown_names_are_refused(torch_home):
    with pytest.raises(WeightsError, match=r"not in the cache.*offline") as error:
        open_torchvision_detector(f"torchvision:{SMALL}", offline=True)
    assert "download.pytorch.org" in error.value.hint
    assert not list(torch_home.iterdir())
    with pytest.raises(UsageError, match="no detector 'resnet50'") as error:
        open_torchvision_detector("torchvision:resnet50", offline=True)
    assert "torchvision:fasterrcnn_resnet50_fpn_v2" in error.value.hint


def test_other_weights_are_refused(torch_home):
    state = random_state(SMALL)
    put(torch_home, SMALL, {key: state[key] for key in list(state)[1:]})
    with pytest.raises(WeightsError, match="not this detector's"):
        open_torchvision_detector(f"torchvision:{SMALL}", offline=True)
    first = next(iter(state))
    put(torch_home, SMALL, state | {first: state[first] * torch.nan})
    with pytest.raises(WeightsError, match="NaN"):
        open_torchvision_detector(f"torchvision:{SMALL}", offline=True)
    put(torch_home, SMALL, state).write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="more than weights, or is damaged"):
        open_torchvision_detector(f"torchvision:{SMALL}", offline=True)


def test_a_named_detector_is_downloaded_once_and_checked(torch_home, server, monkeypatch, tmp_path):
    stream = io.BytesIO()
    torch.save(random_state(SMALL), stream)
    digits = hashlib.sha256(stream.getvalue()).hexdigest()[:8]
    weights = get_model_weights(SMALL).DEFAULT
    named = SimpleNamespace(url=f"https://far.example/small-{digits}.pth", meta=weights.meta)
    monkeypatch.setattr(torchvision_detector, "_weights", lambda _: named)
    monkeypatch.setenv("HIERA_TORCHVISION_URL", server.url)
    server.files[f"/small-{digits}.pth"] = stream.getvalue()
    for _ in range(2):
        open_torchvision_detector(f"torchvision:{SMALL}")
    assert server.bodies() == [f"/small-{digits}.pth"]
    assert (torch_home / f"small-{digits}.pth").is_file()
    server.files["/small-00000000.pth"] = stream.getvalue()
    named.url = "https://far.example/small-00000000.pth"
    with pytest.raises(WeightsError, match=f"SHA-256 {digits}.*expected 00000000"):
        open_torchvision_detector(f"torchvision:{SMALL}", cache_dir=str(tmp_path / "own"))
    assert not list((tmp_path / "own").rglob("*.pth"))
    named.url = "https://far.example/gone-11111111.pth"
    with pytest.raises(WeightsError, match="could not be downloaded"):
        open_torchvision_detector(f"torchvision:{SMALL}")
