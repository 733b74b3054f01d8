"""What a training step costs: dense, masked, and in hiera-transformer; with random weights."""

import logging
import statistics
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hiera_cli.model.config import HieraConfig
from hiera_cli.model.hiera import Hiera
from hiera_cli.model.mae import MaskedAutoencoder
from hiera_cli.model.masking import random_mask, true_indices
from hiera_cli.tasks.benchmark.baselines import HIERA_TRANSFORMER
from hiera_cli.tasks.benchmark.comparison import Setting
from hiera_cli.tasks.benchmark.peak import count_gflops
from hiera_cli.tasks.benchmark.timing import alternate, median_ratio

logger = logging.getLogger("hiera_cli")

MASK_RATIO = 0.9


@dataclass(frozen=True, slots=True)
class TrainingStep:
    """Forward, backward and AdamW's update of one batch.

    Attributes:
        name: of the step.
        seconds: median of a batch.
        clips_per_second: at that median.
        times_dense: median over the rounds of the dense step's time over its own: above 1, it is
            faster than our dense step.
        gflops_per_clip: arithmetic of the forward pass, two per multiply-add.
    """

    name: str
    seconds: float
    clips_per_second: float
    times_dense: float
    gflops_per_clip: float


class Supervised(nn.Module):
    """A classifier that ends in the loss of its own first class."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, ...) to the loss ()."""
        targets = torch.zeros(len(x), dtype=torch.long, device=x.device)
        return F.cross_entropy(self.network(x), targets)


class Reconstruction(nn.Module):
    """A masked autoencoder that ends in its loss."""

    def __init__(self, network: MaskedAutoencoder) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, ...) to the loss ()."""
        loss: Tensor = self.network(x, visible=random_units(self.network, x))[0]
        return loss


class EncoderAlone(nn.Module):
    """A masked autoencoder without its decoder: the size of what the encoder gives is the loss."""

    def __init__(self, network: MaskedAutoencoder) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, ...) to the loss ()."""
        return self.network.forward_encoder(x, random_units(self.network, x)).square().mean()


def random_units(network: MaskedAutoencoder, x: Tensor) -> Tensor:
    """Visible mask units (B, n) of clips (B, 3, ...), drawn on their device."""
    num_units = network.grid.num_units
    mask = random_mask(len(x), num_units, mask_ratio=MASK_RATIO, device=x.device)
    return true_indices(mask, int(num_units * (1 - MASK_RATIO)))


def time_training_steps(config: HieraConfig, setting: Setting) -> tuple[TrainingStep, ...]:
    """Time our dense step, ours on masked clips, and hiera-transformer's, taking turns.

    Args:
        config: the shape of the network.
        setting: device, type (half types mean autocast), clips in a batch, rounds.
    """
    networks = _networks(config)
    logger.info("timing training steps: %s", ", ".join(networks))
    shape = (config.in_chans, *config.input_size)
    gflops = {name: count_gflops(network, (1, *shape)) for name, network in networks.items()}
    x = torch.randn(setting.batch_size, *shape, device=setting.device)
    steps = {name: _step(network, x, setting) for name, network in networks.items()}
    seconds = alternate(steps, rounds=setting.rounds, device=setting.device)
    dense = seconds[next(iter(networks))]
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return tuple(
        TrainingStep(
            name=name,
            seconds=medians[name],
            clips_per_second=setting.batch_size / medians[name],
            times_dense=median_ratio(dense, values),
            gflops_per_clip=gflops[name],
        )
        for name, values in seconds.items()
    )


def _networks(config: HieraConfig) -> dict[str, nn.Module]:
    """What is trained, by name; the dense step first."""
    ours = Hiera(config)
    autoencoder = MaskedAutoencoder(config.for_pretraining())
    networks: dict[str, nn.Module] = {
        "dense": Supervised(ours),
        f"{MASK_RATIO:.0%} masked": Reconstruction(autoencoder),
        f"{MASK_RATIO:.0%} masked, encoder alone": EncoderAlone(autoencoder),
    }
    if HIERA_TRANSFORMER.is_installed:
        theirs = HIERA_TRANSFORMER.build(ours)
        networks[f"dense, {HIERA_TRANSFORMER.name}"] = Supervised(theirs)
    else:
        logger.info("%s is left out: it is not installed", HIERA_TRANSFORMER.name)
    return {name: network.train() for name, network in networks.items()}


def _step(network: nn.Module, x: Tensor, setting: Setting) -> Callable[[], None]:
    """One optimizer step on (B, 3, ...), as a call."""
    network.to(setting.device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-6, fused=True)
    half = setting.dtype != torch.float32

    def step() -> None:
        with torch.autocast(setting.device.type, setting.dtype, enabled=half):
            loss = network(x)
        torch.autograd.backward(loss)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step
