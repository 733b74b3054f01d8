"""`hiera detect` with torchvision's detectors: classes, weights that are missing, exit codes."""

import json

import pytest
import torch
from torchvision.models import get_model_weights
from torchvision.models.detection import ssdlite320_mobilenet_v3_large
from typer.testing import CliRunner

from hiera_cli.cli.app import make_app
from tests.media import write_blocks

NAME = "torchvision:ssdlite320_mobilenet_v3_large"


def hiera(*arguments):
    return CliRunner().invoke(make_app(), [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def random_weights(tmp_path_factory):
    """A torch hub cache with weights that nobody trained."""
    home = tmp_path_factory.mktemp("torch")
    torch.manual_seed(0)
    model = ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None)
    url = get_model_weights("ssdlite320_mobilenet_v3_large").DEFAULT.url
    (home / "hub" / "checkpoints").mkdir(parents=True)
    torch.save(model.state_dict(), home / "hub" / "checkpoints" / url.rpartition("/")[2])
    return home


def test_classes_are_chosen_among_cocos(tmp_path, random_weights, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(random_weights))
    clip = write_blocks(tmp_path / "clip.mp4", num_frames=8)
    common = ("detect", clip, "--detector", NAME, "--offline", "--device", "cpu", "-q",
              "--min-score", 0, "--low-score", 0, "--rate", 4, "--no-isolate")  # fmt: skip
    everything = hiera(*common)
    assert everything.exit_code == 0, everything.stderr
    labels = {json.loads(line)["label"] for line in everything.stdout.splitlines()}
    assert len(labels) > 2
    chosen = sorted(labels)[:2]
    some = hiera(*common, "--classes", f"{chosen[0].upper()}, {chosen[1]}")
    kept = [json.loads(line) for line in some.stdout.splitlines()]
    assert {track["label"] for track in kept} == set(chosen)
    assert all(box["x2"] <= 48 for track in kept for box in track["boxes"])


def test_what_cannot_be_had_is_said(tmp_path, random_weights, monkeypatch):
    clip = write_blocks(tmp_path / "clip.mp4", num_frames=8)
    (tmp_path / "boxes.csv").write_text("clip,0,0,0,1,1,,0.9\n")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty"))
    missing = hiera("detect", clip, "--detector", NAME, "--offline")
    assert (missing.exit_code, "not in the cache" in missing.stderr) == (5, True)
    monkeypatch.setenv("TORCH_HOME", str(random_weights))
    for arguments, message in (
        (("--detector", NAME, "--classes", "person,unicorn"), "knows no 'unicorn'"),
        (("--detector", "torchvision:yolo"), "no detector 'yolo'"),
        (("--boxes", tmp_path / "boxes.csv", "--classes", "person"), "no meaning with --boxes"),
    ):
        result = hiera("detect", clip, *arguments, "--offline")
        assert (result.exit_code, message in result.stderr) == (2, True), result.stderr
