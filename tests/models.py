"""Models small enough for tests, with weights that make every output lively."""

from dataclasses import replace
from pathlib import Path

import torch

from hiera_cli.checkpoints.open import LoadedModel, save_model
from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.model.config import HieraConfig
from hiera_cli.model.hiera import Hiera
from tests.configs import tiny_image, tiny_video
from tests.parity.official import enliven

VIDEO_CONFIG = tiny_video(64, embed_dim=16, num_classes=5)
IMAGE_CONFIG = tiny_image(64, embed_dim=16, num_classes=5)
SMALL_VIDEO = tiny_video()
SMALL_IMAGE = tiny_image()


def save_tiny(
    folder: Path,
    config: HieraConfig = SMALL_VIDEO,
    *,
    labels: tuple[str, ...] = ("run", "jump", "sit"),
    seed: int = 0,
    head_scale: float = 1.0,
) -> Path:
    """A model folder; turn the head up, and different videos get different classes."""
    model = Hiera(replace(config, num_classes=len(labels))).eval()
    enliven(model, seed=seed)
    with torch.no_grad():
        model.head.projection.weight.mul_(head_scale)
    preprocessing = Preprocessing.for_config(config)
    extra = {"name": folder.name}
    save_model(folder, model, labels=labels, preprocessing=preprocessing, extra=extra)
    return folder


def tiny_loaded_model(config: HieraConfig = VIDEO_CONFIG, *, seed: int = 0) -> LoadedModel:
    model = Hiera(config).eval()
    enliven(model, seed=seed)
    loaded = LoadedModel(
        model=model,
        name="tiny",
        preprocessing=Preprocessing.for_config(config),
        labels=tuple(f"class_{index}" for index in range(config.num_classes)),
        weights_path=Path("tiny.safetensors"),
        checkpoint="random",
    )
    loaded.__dict__["weights_sha256"] = f"{seed:064x}"  # as if the file had been hashed
    return loaded


def random_views(num: int, config: HieraConfig = VIDEO_CONFIG, *, seed: int = 1) -> torch.Tensor:
    """(num, 3, *input_size) float32 in 0..255, not whole numbers."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(num, 3, *config.input_size, generator=generator) * 255
