"""Rows of the suite `gpu`: training steps, dense and masked, ours and others'."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hiera_cli.model.config import HieraConfig
from hiera_cli.model.mae import MaskedAutoencoder
from hiera_cli.model.masking import random_mask, true_indices
from hiera_cli.tasks.benchmark.baselines import (
    HIERA_OPTIM,
    HIERA_TRANSFORMER,
    Baseline,
    official_autoencoder,
)
from hiera_cli.tasks.benchmark.random_model import random_network, randomise
from hiera_cli.tasks.benchmark.suite.rows import RowPlan
from hiera_cli.tasks.benchmark.suite.setting import GpuSetting, Network, peak_memory_gb
from hiera_cli.tasks.benchmark.timing import alternate, measure_seconds, median_ratio

MASK_RATIO = 0.9
LARGEST = {"T": 32, "B": 16, "L": 8}  # clips of a dense step; halved until they fit
MASKED_TIMES = 4  # as many clips in a masked step
SECONDS, COMPILING_SECONDS = 10.0, 90.0


@dataclass(frozen=True, slots=True)
class StepFigures:
    """Forward, backward and AdamW's update of one batch.

    Attributes:
        times_eager: our eager step's time over its own at that batch, median over the rounds.
        memory_gb: most memory of the device, weights and optimizer included; None on the CPU.
    """

    batch: int
    clips_per_second: float
    times_eager: float
    memory_gb: float | None


class Units(NamedTuple):
    """Visible mask units, both ways: (B, n) int64 ascending and (B, M) bool."""

    visible: Tensor
    mask: Tensor


def draw_units(
    num_clips: int,
    num_units: int,
    *,
    device: torch.device | str = "cpu",
    generator: torch.Generator | None = None,
) -> Units:
    """Visible units of as many clips: a tenth of them, at least one."""
    ratio = min(MASK_RATIO, 1 - 1 / num_units)
    mask = random_mask(num_clips, num_units, mask_ratio=ratio, device=device, generator=generator)
    return Units(true_indices(mask, int(num_units * (1 - ratio))), mask)


Loss = Callable[[nn.Module, Tensor, Units], Tensor]
"""Of the network on clips (B, 3, ...) with their visible units."""


@dataclass(frozen=True, eq=False, slots=True)
class StepPath:
    """One way to take a training step."""

    name: str
    build: Callable[[HieraConfig], nn.Module]
    loss: Loss
    baseline: Baseline | None = None
    compiles: bool = False


def _dense_loss(network: nn.Module, x: Tensor, _units: Units) -> Tensor:
    targets = torch.zeros(len(x), dtype=torch.long, device=x.device)
    return F.cross_entropy(network(x).float(), targets)


def _masked_loss(network: nn.Module, x: Tensor, units: Units) -> Tensor:
    loss: Tensor = network(x, visible=units.visible)[0]
    return loss


def _their_masked_loss(network: nn.Module, x: Tensor, units: Units) -> Tensor:
    loss: Tensor = network(x, mask_ratio=MASK_RATIO, mask=units.mask)[0]
    return loss


def _optim_masked_loss(network: nn.Module, x: Tensor, units: Units) -> Tensor:
    more = {"mask": units.mask, "keep_idx": units.visible}
    loss: Tensor = network(x, mask_ratio=MASK_RATIO, **more)[0]
    return loss


def _autoencoder(config: HieraConfig) -> nn.Module:
    return MaskedAutoencoder(config.for_pretraining())


def _their_autoencoder(config: HieraConfig, *, optimised: bool) -> nn.Module:
    return official_autoencoder(config.for_pretraining(), optimised=optimised)


def _theirs(baseline: Baseline, config: HieraConfig) -> nn.Module:
    return baseline.build(random_network(config))


DENSE = (
    StepPath("eager", random_network, _dense_loss),
    StepPath(
        "hiera-transformer", partial(_theirs, HIERA_TRANSFORMER), _dense_loss, HIERA_TRANSFORMER
    ),
    StepPath("hiera-optim", partial(_theirs, HIERA_OPTIM), _dense_loss, HIERA_OPTIM),
    StepPath("compiled", random_network, _dense_loss, compiles=True),
    StepPath(
        "hiera-optim, compiled",
        partial(_theirs, HIERA_OPTIM),
        _dense_loss,
        HIERA_OPTIM,
        compiles=True,
    ),
)
MASKED = (
    StepPath("eager", _autoencoder, _masked_loss),
    StepPath(
        "hiera-transformer",
        partial(_their_autoencoder, optimised=False),
        _their_masked_loss,
        HIERA_TRANSFORMER,
    ),
    StepPath(
        "hiera-optim", partial(_their_autoencoder, optimised=True), _optim_masked_loss, HIERA_OPTIM
    ),
    StepPath("compiled", _autoencoder, _masked_loss, compiles=True),
    StepPath(
        "hiera-optim, compiled",
        partial(_their_autoencoder, optimised=True),
        _optim_masked_loss,
        HIERA_OPTIM,
        compiles=True,
    ),
)


def step_rows(
    network: Network, setting: GpuSetting, *, masked: bool, compiled: bool
) -> list[RowPlan]:
    """A row for each way to take a step of a network."""
    paths = MASKED if masked else DENSE
    section = f"Training step, {MASK_RATIO:.0%} masked" if masked else "Training step"
    expected = COMPILING_SECONDS if compiled else SECONDS
    return [
        RowPlan(
            section,
            f"{network.name}, {path.name}",
            partial(_measure, network, path, paths[0], setting, masked=masked),
            obstacle=_obstacle(path),
            expected_seconds=0.0 if setting.tiny else expected,
        )
        for path in paths
        if path.compiles == compiled
    ]


def _obstacle(path: StepPath) -> str:
    missing = path.baseline.missing if path.baseline else ()
    return f"{' and '.join(missing)} not installed" if missing else ""


def _measure(
    network: Network, path: StepPath, eager: StepPath, setting: GpuSetting, *, masked: bool
) -> StepFigures:
    largest = 2 if setting.tiny else LARGEST[network.name] * (MASKED_TIMES if masked else 1)
    step = _Step(network, path, setting)
    batch = _that_fits(step, largest, setting)
    memory = peak_memory_gb(lambda: step(batch), setting)
    ours = _Step(network, eager, setting)
    runs = {"it": lambda: step(batch), "eager": lambda: ours(batch)}
    seconds = alternate(runs, rounds=setting.rounds, device=setting.device)
    return StepFigures(
        batch=batch,
        clips_per_second=batch / statistics.median(seconds["it"]),
        times_eager=median_ratio(seconds["eager"], seconds["it"]),
        memory_gb=memory,
    )


def _that_fits(step: "_Step", largest: int, setting: GpuSetting) -> int:
    """The largest batch that memory holds, halving.

    Raises:
        OutOfMemoryError: not even one clip.
    """
    batch = largest
    while True:
        try:
            measure_seconds(partial(step, batch), device=setting.device)
            return batch
        except torch.OutOfMemoryError:
            step.forget()
            if batch == 1:
                raise
            batch //= 2


class _Step:
    """An optimizer step of one network; clips and visible units are drawn once a batch size."""

    def __init__(self, network: Network, path: StepPath, setting: GpuSetting) -> None:
        self._setting = setting
        self._shape = network.clip_shape
        model = path.build(network.config)
        randomise(model, seed=0)
        self._model = model.to(setting.device).train()
        self._forward = _compiled(self._model, setting) if path.compiles else self._model
        self._loss = path.loss
        self._optimizer = torch.optim.AdamW(self._model.parameters(), lr=1e-6, fused=True)
        with torch.device("meta"):
            grid = MaskedAutoencoder(network.config.for_pretraining()).grid
        self._num_units = grid.num_units
        self._data: tuple[Tensor, Units] | None = None

    def __call__(self, batch: int) -> None:
        """Forward, backward, update."""
        x, units = self._inputs(batch)
        dtype = self._setting.half
        torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        with torch.autocast(x.device.type, dtype, enabled=dtype != torch.float32):
            loss = self._loss(self._forward, x, units)
        torch.autograd.backward(loss)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)

    def _inputs(self, batch: int) -> tuple[Tensor, Units]:
        if self._data is None or len(self._data[0]) != batch:
            device, num_units = self._setting.device, self._num_units
            units = draw_units(batch, num_units, device=device)
            self._data = torch.randn(batch, *self._shape, device=device), units
        return self._data

    def forget(self) -> None:
        """Give memory back after it ran out."""
        self._data = None
        self._optimizer.zero_grad(set_to_none=True)
        if self._setting.on_cuda:
            torch.cuda.empty_cache()


def _compiled(model: nn.Module, setting: GpuSetting) -> nn.Module:
    options: dict[str, Any] | None = {"triton.cudagraphs": True} if setting.on_cuda else None
    compiled = torch.compile(model, dynamic=False, backend=setting.compiler, options=options)
    return cast(nn.Module, compiled)
