"""The suite `gpu`: every figure that is claimed of a GPU, in the order of their worth.

What compiles comes last, because it takes longest: within eight minutes on an H100 the eager
rows, the CUDA graphs and the peers are expected to be through; the same command goes on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch

from hiera_cli.model.device import dtype_name
from hiera_cli.tasks.benchmark.suite.end_to_end import end_to_end_rows
from hiera_cli.tasks.benchmark.suite.inference import EAGER, PATHS, inference_rows
from hiera_cli.tasks.benchmark.suite.options import SuiteOptions
from hiera_cli.tasks.benchmark.suite.parity import parity_rows
from hiera_cli.tasks.benchmark.suite.rows import RowPlan
from hiera_cli.tasks.benchmark.suite.setting import GpuSetting, network, peak_gflops
from hiera_cli.tasks.benchmark.suite.steps import step_rows

DTYPES = (torch.float32, torch.float16, torch.bfloat16)
QUICK = [path for path in PATHS if not path.compiles]
COMPILING = [path for path in PATHS if path.compiles]


@dataclass(frozen=True, slots=True)
class PeakFigures:
    """Best rate of a large matrix product, in 10^12 operations a second, two per multiply-add."""

    tflops: float


def gpu_rows(options: SuiteOptions, device: torch.device) -> Sequence[RowPlan]:
    """The rows of the suite."""
    setting = GpuSetting(device, options.tiny, options.rounds)
    nets = {name: network(name, tiny=options.tiny) for name in ("T", "B", "B+", "L", "H")}
    inferred = ("B",) if options.tiny else ("B", "L", "B+", "H")  # stand-ins are all the same
    trained = ("B",) if options.tiny else ("B", "T", "L")
    rows = [
        RowPlan("Matrix peak", dtype_name(dtype), partial(_peak, setting, dtype))
        for dtype in DTYPES
    ]
    rows += parity_rows(nets["B"], [EAGER, PATHS[1]], setting)
    for name in inferred:
        rows += inference_rows(nets[name], torch.float16, QUICK, setting)
    for compiled in (False, True):
        for name in trained:
            for masked in (True, False):
                rows += step_rows(nets[name], setting, masked=masked, compiled=compiled)
        if not compiled:
            rows += end_to_end_rows(nets["B"], setting)
            for name in inferred:
                rows += inference_rows(nets[name], torch.bfloat16, QUICK, setting)
            rows += inference_rows(nets["B"], torch.float16, COMPILING, setting)
    for name in inferred[1:]:
        rows += inference_rows(nets[name], torch.float16, COMPILING, setting)
    for name in inferred:
        rows += inference_rows(nets[name], torch.bfloat16, COMPILING, setting)
    return rows


def _peak(setting: GpuSetting, dtype: torch.dtype) -> PeakFigures:
    return PeakFigures(peak_gflops(setting, dtype) / 1000)
