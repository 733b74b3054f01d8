"""What the rows of the suite `gpu` share: device and size, networks with random weights, peaks."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from hiera_cli.checkpoints.zoo import find_model
from hiera_cli.model.config import HieraConfig
from hiera_cli.tasks.benchmark.peak import matmul_peak_gflops

TINY_SIDE = 64  # of the matrices whose product is a stand-in for the peak
VIDEO = "hiera_base_16x224"
BLOCKS_OF_TINY = (1, 2, 7, 2)  # Hiera-T, which is published for images only


@dataclass(frozen=True, slots=True)
class GpuSetting:
    """Under which conditions rows are measured.

    Attributes:
        device: where.
        tiny: whether every network is a stand-in of four blocks.
        rounds: timed calls of everything.
    """

    device: torch.device
    tiny: bool
    rounds: int

    @property
    def on_cuda(self) -> bool:
        """Whether the device is a GPU with CUDA."""
        return self.device.type == "cuda"

    @property
    def compiler(self) -> str:
        """The backend of torch.compile: a stand-in where the networks are, which compiles fast."""
        return "eager" if self.tiny else "inductor"

    @property
    def half(self) -> torch.dtype:
        """The type of a training step's arithmetic."""
        return torch.bfloat16 if self.on_cuda else torch.float32


@dataclass(frozen=True, slots=True)
class Network:
    """One architecture of a table."""

    name: str
    config: HieraConfig

    @property
    def clip_shape(self) -> tuple[int, ...]:
        """(3, T, H, W)."""
        return (self.config.in_chans, *self.config.input_size)


def network(name: str, *, tiny: bool) -> Network:
    """Hiera-T, B, B+, L or H for 16 frames of 224 x 224; a stand-in where all is tiny."""
    sizes = {"B": "base", "B+": "base_plus", "L": "large", "H": "huge"}
    if tiny:
        stand_in = replace(
            _config(VIDEO),
            input_size=(4, 64, 64),
            embed_dim=16,
            num_heads=1,
            stages=(1, 1, 1, 1),
            num_classes=7,
        )
        return Network(name, stand_in)
    if name == "T":
        return Network(name, replace(_config(VIDEO), stages=BLOCKS_OF_TINY))
    return Network(name, _config(f"hiera_{sizes[name]}_16x224"))


def _config(name: str) -> HieraConfig:
    zoo = find_model(name)
    assert zoo is not None
    return zoo.config


def clips(shape: tuple[int, ...], num: int, *, seed: int = 0) -> Tensor:
    """Normalised clips (num, *shape) float32 on the CPU: blobs of all sizes and contrasts.

    White noise would look the same to a network whatever the seed.
    """
    generator = torch.Generator().manual_seed(seed)
    channels, *size = shape
    made = []
    for index in range(num):
        coarse = [max(2, n // 2 ** (2 + index % 4)) for n in size[1:]]
        noise = torch.randn(1, channels, max(1, size[0] // 4), *coarse, generator=generator)
        level = torch.randn(1, channels, 1, 1, 1, generator=generator)
        blobs = F.interpolate(noise, size=tuple(size), mode="trilinear", align_corners=False)
        made.append((level + blobs * (0.5 + index % 3)).clamp(-2, 2))
    return torch.cat(made)


@lru_cache(maxsize=8)
def peak_gflops(setting: GpuSetting, dtype: torch.dtype) -> float:
    """The device's matrix peak, measured once."""
    side = TINY_SIDE if setting.tiny else None
    return matmul_peak_gflops(setting.device, dtype, side=side)


def peak_memory_gb(run: Callable[[], object], setting: GpuSetting) -> float | None:
    """Most memory of the device that was taken during a call, in 10^9 bytes; None on the CPU."""
    if not setting.on_cuda:
        run()
        return None
    torch.cuda.reset_peak_memory_stats(setting.device)
    run()
    torch.cuda.synchronize(setting.device)
    return torch.cuda.max_memory_allocated(setting.device) / 1e9
