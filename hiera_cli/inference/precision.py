"""What `--dtype auto` means on this machine: float32, or bfloat16 where that was measured faster.

`hiera benchmark -m MODEL --against bfloat16` measures, and keeps the result in the cache for
networks of that shape, this processor and this PyTorch; nothing is assumed of any of them.
"""

import hashlib
import json
import logging
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import torch

from hiera_cli.checkpoints.download import cache_folder
from hiera_cli.files import write_text
from hiera_cli.machine import has_bfloat16, machine_name
from hiera_cli.model.config import HieraConfig
from hiera_cli.model.device import choose_device, choose_dtype, dtype_name
from hiera_cli.options import EngineOptions

logger = logging.getLogger("hiera_cli")

IN_PYTORCH = ("torch", "compile")
HASH_DIGITS = 16


@dataclass(frozen=True, slots=True)
class PrecisionRecord:
    """How bfloat16 did against float32 on the CPU.

    Attributes:
        model: whose shape was measured.
        gain: time of a view in float32 over that in bfloat16, median over the rounds.
        deviation: largest difference of logits over the largest logit.
        machine, torch: where and with what.
    """

    model: str
    gain: float
    deviation: float
    machine: str
    torch: str


def keep_record(
    config: HieraConfig, *, model: str, gain: float, deviation: float, cache_dir: str | None = None
) -> Path:
    """Keep what was measured here; the file that it is in.

    Raises:
        OutputError: the cache cannot be written.
    """
    record = PrecisionRecord(model, gain, deviation, machine_name(), torch.__version__)
    path = _path(config, cache_dir)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(asdict(record), indent=2) + "\n")
    return path


def read_record(config: HieraConfig, *, cache_dir: str | None = None) -> PrecisionRecord | None:
    """What was measured for networks of that shape on this machine; None where nothing was."""
    try:
        values = json.loads(_path(config, cache_dir).read_text())
        record = PrecisionRecord(**{f.name: values[f.name] for f in fields(PrecisionRecord)})
    except (OSError, ValueError, KeyError, TypeError):
        return None
    here = (machine_name(), torch.__version__)
    return record if (record.machine, record.torch) == here else None


def measured_dtype(options: EngineOptions, config: HieraConfig) -> str:
    """The dtype that the options mean for a network, where its results need not be exact.

    Raises:
        UsageError: an unknown device or dtype.
    """
    device = choose_device(options.device)
    usual = dtype_name(choose_dtype(options.dtype, device))
    if options.dtype != "auto" or device.type != "cpu" or options.backend not in IN_PYTORCH:
        return usual
    record = read_record(config, cache_dir=options.cache_dir) if has_bfloat16() else None
    if record is None or record.gain <= 1.0:
        return usual
    logger.info("--dtype auto: bfloat16, measured %.2f times as fast here", record.gain)
    return "bfloat16"


def exactly(options: EngineOptions) -> EngineOptions:
    """The options, with float32 for what `--dtype auto` means on the CPU."""
    if options.dtype != "auto" or choose_device(options.device).type != "cpu":
        return options
    return replace(options, dtype="float32")


def _path(config: HieraConfig, cache_dir: str | None) -> Path:
    shape = json.dumps(config.to_dict(), sort_keys=True)
    name = hashlib.sha256(shape.encode()).hexdigest()[:HASH_DIGITS]
    return cache_folder(cache_dir) / "precision" / f"{name}.json"
