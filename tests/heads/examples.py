"""Examples made up for tests: clouds of clips around the center of their class."""

import numpy as np
import torch

from hiera_cli.heads.examples import Examples


def clouds(
    counts: tuple[int, ...] = (30, 20, 10),
    *,
    clips: int = 3,
    width: int = 8,
    spread: float = 1.5,
    seed: int = 0,
) -> Examples:
    """So many videos of each class; the clips of a video lie close together."""
    rng = np.random.default_rng(seed)
    targets = np.repeat(np.arange(len(counts)), counts)
    centers = rng.normal(size=(len(counts), width)) * 2
    videos = centers[targets] + rng.normal(size=(len(targets), width)) * spread
    features = np.repeat(videos, clips, axis=0)
    features += rng.normal(size=features.shape) * 0.3
    return Examples(
        names=tuple(f"video {index}.mp4" for index in range(len(targets))),
        classes=tuple(f"class {index}" for index in range(len(counts))),
        features=torch.from_numpy(features * 3 + 7),
        video_index=torch.arange(len(targets)).repeat_interleave(clips),
        targets=torch.from_numpy(np.eye(len(counts))[targets]),
        groups=np.arange(len(targets)),
    )
