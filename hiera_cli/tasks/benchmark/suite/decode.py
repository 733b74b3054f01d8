"""The suite `decode`: what a clip costs before the model sees it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from hiera_cli.inference.open import loader_options
from hiera_cli.inputs import expand_inputs
from hiera_cli.options import EngineOptions
from hiera_cli.tasks.benchmark.generated import generated_videos
from hiera_cli.tasks.benchmark.random_model import open_for_timing
from hiera_cli.tasks.benchmark.stages import read_stages
from hiera_cli.tasks.benchmark.suite.options import SuiteOptions
from hiera_cli.tasks.benchmark.suite.rows import RowPlan


@dataclass(frozen=True, slots=True)
class ReadFigures:
    """One view on one worker, in milliseconds."""

    decode_ms: float
    preprocess_ms: float


def decode_rows(options: SuiteOptions, device: torch.device) -> Sequence[RowPlan]:
    """The rows of the suite."""
    return [RowPlan("Reading", "one worker", lambda: _read(options, device))]


def _read(options: SuiteOptions, device: torch.device) -> ReadFigures:
    engine = EngineOptions(model=options.model, device=str(device))
    loader = loader_options(engine, open_for_timing(engine).preprocessing, "balanced")
    if options.inputs:
        decode, preprocess, _ = read_stages(list(expand_inputs(options.inputs)), loader)
    else:
        with generated_videos(num=1, seconds=0.5 if options.tiny else 10.0) as files:
            decode, preprocess, _ = read_stages(files, loader)
    return ReadFigures(1000 * decode.seconds_per_view, 1000 * preprocess.seconds_per_view)
