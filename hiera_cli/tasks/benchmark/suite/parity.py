"""Rows of the suite `gpu`: whether every path on the device gives the CPU's numbers.

A row fails when it does not: float32 within 1e-4 of the largest logit, half types by the class
that comes first, device crops and the masked loss within their own tolerances.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from hiera_cli.errors import HieraError
from hiera_cli.model.device import dtype_name
from hiera_cli.model.mae import MaskedAutoencoder
from hiera_cli.tasks.agreement import deviation
from hiera_cli.tasks.benchmark.random_model import random_network, randomise
from hiera_cli.tasks.benchmark.suite.inference import Path
from hiera_cli.tasks.benchmark.suite.rows import RowPlan
from hiera_cli.tasks.benchmark.suite.setting import GpuSetting, Network, clips
from hiera_cli.tasks.benchmark.suite.steps import draw_units
from hiera_cli.video.crops import CropPlan, crop_frame, crop_frames

SECTION = "Parity"
FLOAT_TOLERANCE, HALF_AGREEMENT = 1e-4, 95.0
NUM_ON_CPU, NUM_CLIPS, PART = 2, 64, 16
STD = 0.225  # of Kinetics' pixels


@dataclass(frozen=True, slots=True)
class ParityFigures:
    """How near the device comes.

    Attributes:
        deviation: largest difference over the largest value of the reference.
        top1_agreement_percent: clips with the same first class; of logits.
        classes: different first classes among the clips; with one, agreement says nothing.
    """

    deviation: float
    clips: int
    top1_agreement_percent: float | None = None
    classes: int | None = None


def parity_rows(network: Network, paths: list[Path], setting: GpuSetting) -> list[RowPlan]:
    """Float32 against the CPU, every path and type against float32 on the device, and the rest."""
    name = network.name
    rows = [_row(f"{name}, float32 against the CPU", partial(_against_cpu, network, setting))]
    for dtype in (torch.float16, torch.bfloat16):
        for path in paths:
            measure = partial(_against_float32, network, dtype, path, setting)
            rows.append(_row(f"{name}, {dtype_name(dtype)}, {path.name}", measure, path.obstacle))
    rows.append(_row(f"{name}, masked loss", partial(_masked_loss, network, setting)))
    rows.append(_row("frames resized on the device", partial(_device_crops, setting)))
    return rows


def _row(name: str, measure: Callable[[], ParityFigures], obstacle: str = "") -> RowPlan:
    return RowPlan(SECTION, name, measure, obstacle=obstacle)


@torch.inference_mode()
def _against_cpu(network: Network, setting: GpuSetting) -> ParityFigures:
    x = clips(network.clip_shape, NUM_ON_CPU)
    ours = random_network(network.config)
    expected = ours(x)
    found = ours.to(setting.device)(x.to(setting.device)).cpu()
    return _close(deviation(found, expected), NUM_ON_CPU)


def _close(difference: float, num: int) -> ParityFigures:
    if not difference <= FLOAT_TOLERANCE:
        raise HieraError(f"differs by {difference:.1e}, more than {FLOAT_TOLERANCE:.0e}")
    return ParityFigures(difference, num)


@torch.inference_mode()
def _against_float32(
    network: Network, dtype: torch.dtype, path: Path, setting: GpuSetting
) -> ParityFigures:
    num = 4 if setting.tiny else NUM_CLIPS
    x = clips(network.clip_shape, num).to(setting.device)
    ours = random_network(network.config, device=setting.device)
    expected = torch.cat([ours(part) for part in torch.split(x, PART)])
    forward = path.build(ours.to(dtype), setting)
    found = torch.cat([_logits(forward(part)).float() for part in torch.split(x.to(dtype), PART)])
    first = expected.argmax(1)
    agreement = 100 * float((found.argmax(1) == first).double().mean())
    if agreement < HALF_AGREEMENT:
        raise HieraError(f"{agreement:.0f} % of the clips have the same first class")
    return ParityFigures(
        deviation(found, expected), num, agreement, classes=len(set(first.tolist()))
    )


def _logits(output: object) -> Tensor:
    logits = output[0] if isinstance(output, tuple) else output
    assert isinstance(logits, Tensor)
    return logits


@torch.no_grad()
def _masked_loss(network: Network, setting: GpuSetting) -> ParityFigures:
    x = clips(network.clip_shape, NUM_ON_CPU)
    model = MaskedAutoencoder(network.config.for_pretraining())
    randomise(model, seed=0)
    generator = torch.Generator().manual_seed(0)
    visible = draw_units(len(x), model.grid.num_units, generator=generator).visible
    _, expected, _, _ = model(x, visible=visible)
    device = setting.device
    _, found, _, _ = model.to(device)(x.to(device), visible=visible.to(device))
    return _close(deviation(found.cpu(), expected), NUM_ON_CPU)


def _device_crops(setting: GpuSetting) -> ParityFigures:
    """Of noise at 340 x 256, with three crops; the difference of normalised values."""
    generator = torch.Generator().manual_seed(0)
    frames = torch.randint(256, (8, 256, 340, 3), generator=generator, dtype=torch.uint8)
    plan = CropPlan(224, 224, 3)
    found = [crop.cpu() for crop in crop_frames(frames.to(setting.device), plan)]
    expected = [crop_frame(frame.numpy(), plan) for frame in frames]
    differences = [
        (found[crop][index] - expected[index][crop]).abs().max()
        for index in range(len(frames))
        for crop in range(3)
    ]
    return _close(float(max(differences)) / 255 / STD, len(frames))
