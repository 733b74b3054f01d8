"""The paper's evaluation of one video, written down once more and independently of the package.

PyAV decodes every frame, PROTOCOL.md's formulas pick and crop them in float32 as SlowFast's loader
does, and hiera-transformer runs every view on its own.
"""

import math
from pathlib import Path

import av
import numpy as np
import torch
import torch.nn.functional as F

MEAN, STD = 0.45, 0.225


def decode_all(path: str | Path) -> tuple[list[np.ndarray], list[float], float]:
    """All frames (H, W, 3) uint8, their presentation times, and the average rate."""
    with av.open(str(path)) as container:
        stream = container.streams.best("video")
        frames = list(container.decode(stream))
        rate = float(stream.average_rate)
        return [f.to_ndarray(format="rgb24") for f in frames], [f.time for f in frames], rate


def clip_indices(num_frames: int, fps: float, *, clip: int, num_clips: int) -> list[int]:
    span = max(1.0, 4 * 16 / 30 * fps)
    delta = max(num_frames - span, 0)
    start = math.floor(delta / 2) if num_clips == 1 else clip * math.floor(delta / (num_clips - 1))
    return window_indices(num_frames, start, span)


def window_indices(num_frames: int, start: float, span: float) -> list[int]:
    positions = torch.linspace(start, start + span - 1, 16)
    return torch.clamp(positions, 0, num_frames - 1).long().tolist()


def normalise(frames: list[np.ndarray]) -> torch.Tensor:
    """(3, T, H, W) float32."""
    pixels = torch.from_numpy(np.stack(frames)).float() / 255
    return ((pixels - MEAN) / STD).permute(3, 0, 1, 2)


def crops(clip: torch.Tensor, *, num_crops: int, size: int = 224) -> list[torch.Tensor]:
    """(3, T, H, W) -> (3, T, size, size) each."""
    short = size if num_crops == 3 else round(size * 256 / 224)
    height, width = clip.shape[-2:]
    if width < height:
        new = (math.floor(height / width * short), short)
    else:
        new = (short, math.floor(width / height * short))
    resized = F.interpolate(
        clip.transpose(0, 1), size=new, mode="bilinear", align_corners=False
    ).transpose(0, 1)
    found = []
    for index in [1] if num_crops == 1 else [0, 1, 2]:
        y, x = math.ceil((new[0] - size) / 2), math.ceil((new[1] - size) / 2)
        if new[0] > new[1]:
            y = (0, y, new[0] - size)[index]
        else:
            x = (0, x, new[1] - size)[index]
        found.append(resized[:, :, y : y + size, x : x + size])
    return found


@torch.no_grad()
def video_scores(
    model: torch.nn.Module, path: str | Path, *, num_clips: int, num_crops: int, size: int = 224
) -> torch.Tensor:
    """Mean softmax over the views, (K,)."""
    frames, _, fps = decode_all(path)
    scores = []
    for clip in range(num_clips):
        indices = clip_indices(len(frames), fps, clip=clip, num_clips=num_clips)
        for view in crops(normalise([frames[i] for i in indices]), num_crops=num_crops, size=size):
            scores.append(model(view[None])[0])  # the official head applies softmax in eval mode
    return torch.stack(scores).mean(0)
