"""A tiny random model and small videos, made once a session."""

from pathlib import Path

import pytest

from tests.media import write_blocks
from tests.models import SMALL_IMAGE, save_tiny


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video model: 4 frames of 32 x 32 at stride 4, so a window lasts 16/30 seconds."""
    return save_tiny(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def tiny_image_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image model of 32 x 32."""
    return save_tiny(tmp_path_factory.mktemp("models") / "tiny-image", SMALL_IMAGE)


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six clips in folders and a file that is no video."""
    folder = tmp_path_factory.mktemp("clips")
    for index in range(6):
        name = f"{'abc'[index % 3]}/clip {index}.mp4"
        write_blocks(folder / name, num_frames=10 + 12 * index, seed=index)
    (folder / "b" / "broken.mp4").write_bytes(b"no video at all")
    return folder
