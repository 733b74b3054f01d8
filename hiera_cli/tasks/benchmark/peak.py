"""What the machine can do at best, and how much arithmetic a network asks of it."""

import copy
import time

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from hiera_cli.tasks.benchmark.timing import measure_seconds

MATMUL_SIDE = {"cpu": 2048, "cuda": 8192}
MATMUL_SECONDS = 1.0
MIN_MATMULS = 5


def matmul_peak_gflops(
    device: torch.device, dtype: torch.dtype, *, side: int | None = None
) -> float:
    """Best rate of a large square matrix product, in 10^9 floating-point operations a second.

    A multiply-add counts as two; the same counter counts the networks.

    Args:
        device: where.
        dtype: of the matrices.
        side: of the matrices; None: large enough to keep the device busy.
    """
    side = side or MATMUL_SIDE.get(device.type, 2048)
    left = torch.randn(side, side, device=device).to(dtype)
    right = torch.randn(side, side, device=device).to(dtype)
    with FlopCounterMode(display=False) as counter:
        left @ right
    seconds = MATMUL_SECONDS * min(1.0, side / MATMUL_SIDE["cpu"])
    best, deadline, done = float("inf"), time.perf_counter() + seconds, 0
    while done < MIN_MATMULS or time.perf_counter() < deadline:
        best = min(best, measure_seconds(lambda: left @ right, device=device))
        done += 1
    return float(counter.get_total_flops()) / best / 1e9


def count_gflops(module: nn.Module, view_shape: tuple[int, ...]) -> float:
    """Floating-point operations of one view (1, 3, ...), in 10^9; nothing is computed."""
    shadow = copy.deepcopy(module).to("meta")
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        shadow(torch.empty(view_shape, device="meta"))
    return float(counter.get_total_flops()) / 1e9
