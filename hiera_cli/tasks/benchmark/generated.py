"""Made-up videos for measuring: the size and coding of Kinetics clips, no content to speak of."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hiera_cli.inputs import InputPath
from hiera_cli.video.encode import write_video

WIDTH, HEIGHT, FPS = 340, 256, 30.0


@contextmanager
def generated_videos(*, num: int, seconds: float = 10.0) -> Iterator[list[InputPath]]:
    """H.264 videos of 340 x 256 pixels at 30 fps, each different, gone after the block."""
    with tempfile.TemporaryDirectory(prefix="hiera-") as folder:
        files = []
        for index in range(num):
            path = Path(folder) / f"generated_{index}.mp4"
            write_video(path, moving_texture(round(seconds * FPS), seed=index), fps=FPS)
            files.append(InputPath(path=str(path), name=path.name))
        yield files


def moving_texture(num_frames: int, *, seed: int) -> Iterator[npt.NDArray[np.uint8]]:
    """Frames (H, W, 3) uint8: smoothed noise that drifts, with a little grain in every frame."""
    generator = np.random.default_rng(seed)
    texture = generator.uniform(0, 255, (HEIGHT // 8 + 1, WIDTH // 8 + 1, 3))
    world = texture.repeat(16, axis=0).repeat(16, axis=1)
    for _ in range(2):
        world = (world + np.roll(world, 5, axis=0) + np.roll(world, 5, axis=1)) / 3
    for index in range(num_frames):
        drift = np.roll(world, (index, 2 * index), axis=(0, 1))[:HEIGHT, :WIDTH]
        grain = generator.normal(0, 4, (HEIGHT, WIDTH, 1))
        yield (drift + grain).clip(0, 255).astype(np.uint8)
