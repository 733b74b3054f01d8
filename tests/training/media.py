"""Small videos with known movement, and a network small enough to train in a test."""

import json
from pathlib import Path

import numpy as np

from tests.media import write_frames

CONFIG = {
    "input_size": [8, 32, 32],
    "embed_dim": 16,
    "num_heads": 1,
    "stages": [1, 1, 1, 1],
    "q_stride": [1, 2, 2],
    "mask_unit_size": [1, 8, 8],
    "patch_kernel": [3, 7, 7],
    "patch_stride": [2, 4, 4],
    "patch_padding": [1, 3, 3],
    "sep_pos_embed": True,
    "num_classes": 4,
}
PICTURE_CONFIG = CONFIG | {
    "input_size": [64, 64],
    "q_stride": [2, 2],
    "mask_unit_size": [8, 8],
    "patch_kernel": [7, 7],
    "patch_stride": [4, 4],
    "patch_padding": [3, 3],
    "sep_pos_embed": False,
}
SHIFTS = {"pan left": (0, -3), "pan right": (0, 3), "static": (0, 0), "tilt up": (-3, 0)}


def write_config(folder: Path, config: dict = CONFIG) -> str:
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return str(path)


def scene(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A smooth random picture, (height, width, 3) uint8."""
    coarse = rng.integers(0, 256, (height // 12 + 2, width // 12 + 2, 3)).astype(np.float32)
    rows, columns = np.arange(height) / 12, np.arange(width) / 12
    top, left = rows.astype(int), columns.astype(int)
    y, x = (rows - top)[:, None, None], (columns - left)[None, :, None]
    upper = coarse[top][:, left] * (1 - x) + coarse[top][:, left + 1] * x
    lower = coarse[top + 1][:, left] * (1 - x) + coarse[top + 1][:, left + 1] * x
    return (upper * (1 - y) + lower * y).astype(np.uint8)


def moving(label: str, seed: int, *, num_frames: int = 32, size: int = 48) -> np.ndarray:
    """A clip (num_frames, size, size, 3) whose picture moves as the label says."""
    rows, columns = SHIFTS[label]
    reach = 3 * num_frames
    picture = scene(np.random.default_rng(seed), size + 2 * reach, size + 2 * reach)
    corners = [(reach + rows * i, reach + columns * i) for i in range(num_frames)]
    return np.stack([picture[y : y + size, x : x + size] for y, x in corners])


def write_classes(folder: Path, *, clips_per_class: int, seed: int = 0) -> Path:
    """One folder a class, with clips of that movement."""
    for index, label in enumerate(SHIFTS):
        for number in range(clips_per_class):
            frames = moving(label, seed * 1000 + index * 100 + number)
            write_frames(folder / label / f"{number}.mp4", frames, options={"crf": "18"})
    return folder
