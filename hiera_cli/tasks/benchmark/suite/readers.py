"""Other people's ways from a file to its frames, to be timed against; each is given the indices.

A loop over PyAV as it is usually written, and packages that seek for themselves.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor

ReadFrames = Callable[[str, Sequence[int]], Tensor]
"""Path and ascending frame indices -> frames (T, H, W, 3) uint8."""


@dataclass(frozen=True, slots=True)
class FrameReader:
    """One way to read frames.

    Attributes:
        name: for people.
        package: module that must be installed.
        read: the frames at some indices.
    """

    name: str
    package: str
    read: ReadFrames

    @property
    def obstacle(self) -> str:
        """Why it cannot be timed here; else empty."""
        return "" if find_spec(self.package) else f"{self.package} is not installed"


def _all_converted(path: str, indices: Sequence[int]) -> Tensor:
    """Decode and convert everything, then choose."""
    frames = [frame.to_ndarray(format="rgb24") for frame in _decoded(path)]
    return torch.from_numpy(np.stack([frames[index] for index in indices]))


def _sampled_converted(path: str, indices: Sequence[int]) -> Tensor:
    """Decode everything, convert what is wanted."""
    frames = _decoded(path)
    wanted = [frames[index].to_ndarray(format="rgb24") for index in indices]
    return torch.from_numpy(np.stack(wanted))


def _decoded(path: str) -> list[Any]:
    av: Any = import_module("av")
    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        return list(container.decode(stream))


def _torchcodec(path: str, indices: Sequence[int]) -> Tensor:
    decoders: Any = import_module("torchcodec.decoders")
    decoder = decoders.VideoDecoder(path, dimension_order="NHWC")
    frames: Tensor = decoder.get_frames_at(list(indices)).data
    return frames


def _decord(path: str, indices: Sequence[int]) -> Tensor:
    decord: Any = import_module("decord")
    frames: Any = decord.VideoReader(path).get_batch(list(indices))
    return torch.from_numpy(frames.asnumpy())


READERS: tuple[FrameReader, ...] = (
    FrameReader("PyAV, a plain loop", "av", _all_converted),
    FrameReader("PyAV, a loop that converts sampled frames", "av", _sampled_converted),
    FrameReader("torchcodec", "torchcodec", _torchcodec),
    FrameReader("decord", "decord", _decord),
)
