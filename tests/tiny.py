"""A very small model with lively weights, and clips that take milliseconds to make and decode."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch

from hiera_cli.model.config import HieraConfig
from hiera_cli.model.hiera import Hiera
from hiera_cli.weights import save_model
from hiera_cli.zoo import Preprocessing
from tests.configs import tiny_image, tiny_video

VIDEO = tiny_video(num_classes=6)
IMAGE = tiny_image(num_classes=6)
CODECS = {".mp4": "libx264", ".mkv": "libx264", ".webm": "libvpx-vp9", ".jpg": "mjpeg"}


def make_model(
    folder: Path, labels: tuple[str, ...], *, config: HieraConfig = VIDEO, seed: int = 0
) -> Path:
    """A model folder; the head is turned up, so that different videos get different classes."""
    torch.manual_seed(seed)
    model = Hiera(HieraConfig.from_dict(config.to_dict() | {"num_classes": len(labels)}))
    with torch.no_grad():
        model.head.projection.weight.normal_(std=3.0)
    preprocessing = Preprocessing.for_config(model.config)
    save_model(folder, model, labels=labels, preprocessing=preprocessing, extra={"name": "tiny"})
    return folder


def make_clip(
    path: Path, *, seed: int, num_frames: int = 24, size: tuple[int, int] = (64, 48)
) -> Path:
    """A drifting colour pattern; the suffix decides container and codec."""
    random = np.random.default_rng(seed)
    waves, speed = random.uniform(0.02, 0.2, (3, 2)), random.uniform(-0.4, 0.4, 3)
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(CODECS[path.suffix], rate=Fraction(25))
        stream.width, stream.height = size
        stream.pix_fmt = "yuvj420p" if path.suffix == ".jpg" else "yuv420p"
        for index in range(num_frames):
            phase = waves[:, :1, None] * x + waves[:, 1:, None] * y + speed[:, None, None] * index
            rgb = (127.5 + 127 * np.sin(phase)).astype(np.uint8).transpose(1, 2, 0)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
