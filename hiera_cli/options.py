"""What every command that runs a model can be told: plain values, checked where they are used."""

from dataclasses import dataclass
from typing import Literal

SamplingName = Literal["stride", "segments"]


@dataclass(frozen=True)
class EngineOptions:
    """Which model runs over which views of a video, and on what.

    Attributes:
        model: zoo name (`NAME` or `NAME.CHECKPOINT`), model folder or weights file.
        weights: file that replaces the weights of a zoo name.
        labels: file with class names.
        protocol: `fast`, `balanced`, `paper` or `dense`; None for the command's own default.
        clips: number of clips instead of the protocol's.
        crops: 1 or 3 instead of the protocol's.
        hop: seconds from window to window (`dense` only).
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        dtype: `auto`, `float32`, `bfloat16` or `float16`.
        backend: `torch`, `compile`, `onnx`, `openvino`, `openvino-int8` or `auto`.
        batch_size: views in a batch, or `auto`.
        workers: videos decoded at the same time, or `auto`.
        threads: CPU threads of the model; None for PyTorch's default.
        offline: never use the network.
        cache_dir: where weights are kept.
        max_pixels: largest frame that is decoded.
        timeout: seconds that decoding one video may take; 0 for no limit.
        isolate: decode in child processes; None decides by the number of videos.
        square_pixels: stretch frames whose pixels are not square.
    """

    model: str = "hiera_base_16x224"
    weights: str | None = None
    labels: str | None = None
    protocol: str | None = None
    clips: int | None = None
    crops: int | None = None
    hop: float | None = None
    device: str = "auto"
    dtype: str = "auto"
    backend: str = "torch"
    batch_size: str = "auto"
    workers: str = "auto"
    threads: int | None = None
    offline: bool = False
    cache_dir: str | None = None
    max_pixels: int = 8192 * 4320
    timeout: float = 600.0
    isolate: bool | None = None
    square_pixels: bool = False
