"""A tiny random model and small videos, made once a session."""

from pathlib import Path

import av
import numpy as np
import pytest

from hiera_cli.model.config import HieraConfig
from hiera_cli.model.hiera import Hiera
from hiera_cli.weights import save_model
from hiera_cli.zoo import Preprocessing
from tests.configs import tiny_image, tiny_video
from tests.parity.official import enliven

TINY_VIDEO = tiny_video(num_classes=3)
TINY_IMAGE = tiny_image(num_classes=3)


def save_tiny(folder: Path, config: HieraConfig, *, seed: int = 0) -> Path:
    model = Hiera(config).eval()
    enliven(model, seed=seed)
    save_model(
        folder,
        model,
        labels=("run", "jump", "sit"),
        preprocessing=Preprocessing.for_config(config),
        extra={"name": folder.name},
    )
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video model: 4 frames of 32 x 32 at stride 4, so a window lasts 16/30 seconds."""
    return save_tiny(tmp_path_factory.mktemp("models") / "tiny", TINY_VIDEO)


@pytest.fixture(scope="session")
def tiny_image_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image model of 32 x 32."""
    return save_tiny(tmp_path_factory.mktemp("models") / "tiny-image", TINY_IMAGE)


def write_clip(
    path: Path, *, num_frames: int, seed: int = 0, fps: int = 30, size: int = 48
) -> Path:
    """A clip of moving noise blocks, other for every seed."""
    random = np.random.default_rng(seed)
    blocks = random.integers(0, 255, (6, 6, 3), dtype=np.uint8)
    picture = np.kron(blocks, np.ones((size // 6, size // 6, 1), np.uint8))
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps)
        stream.width = stream.height = size
        stream.pix_fmt = "yuv420p"
        for index in range(num_frames):
            frame = av.VideoFrame.from_ndarray(np.roll(picture, index * 2, axis=1), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six clips in folders and a file that is no video."""
    folder = tmp_path_factory.mktemp("clips")
    for index in range(6):
        name = f"{'abc'[index % 3]}/clip {index}.mp4"
        write_clip(folder / name, num_frames=10 + 12 * index, seed=index)
    (folder / "b" / "broken.mp4").write_bytes(b"no video at all")
    return folder
