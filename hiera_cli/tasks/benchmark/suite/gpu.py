"""The suite `gpu`: every figure that is claimed of a GPU, in the order of their worth."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch

from hiera_cli.model.device import dtype_name
from hiera_cli.tasks.benchmark.peak import matmul_peak_gflops
from hiera_cli.tasks.benchmark.suite.options import SuiteOptions
from hiera_cli.tasks.benchmark.suite.rows import RowPlan

DTYPES = (torch.float32, torch.float16, torch.bfloat16)
TINY_SIDE = 64


@dataclass(frozen=True, slots=True)
class PeakFigures:
    """Best rate of a large matrix product, in 10^12 operations a second, two per multiply-add."""

    tflops: float


def gpu_rows(options: SuiteOptions, device: torch.device) -> Sequence[RowPlan]:
    """The rows of the suite."""
    return [
        RowPlan("Matrix peak", dtype_name(dtype), partial(_peak, device, dtype, options))
        for dtype in DTYPES
    ]


def _peak(device: torch.device, dtype: torch.dtype, options: SuiteOptions) -> PeakFigures:
    side = TINY_SIDE if options.tiny else None
    return PeakFigures(matmul_peak_gflops(device, dtype, side=side) / 1000)
