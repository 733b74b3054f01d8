"""First weights for a small network that must see motion.

From the usual initial weights (normal, deviation 0.02) a network with few channels takes very
long to find out that motion matters. Here the patch embedding starts as moving gratings, the
first block measures their energy, which is how much moves which way (Adelson and Bergen 1985),
the second block multiplies that with the place (what moves outwards, what moves around), and the
other blocks start by passing it on. Everything is trained afterwards.
"""

import itertools
import math

import torch
from torch import Tensor, nn

from hiera_cli.errors import UsageError
from hiera_cli.model.block import Block
from hiera_cli.model.config import HieraConfig
from hiera_cli.model.hiera import Hiera

ORIENTATIONS = tuple(k * math.pi / 4 for k in range(4))
WAVES = ((9.0, 0.2), (6.0, 0.07))  # wavelength in pixels, turns per frame
NUM_GRATINGS = 2 * 2 * len(ORIENTATIONS) * len(WAVES)  # two directions, two phases
NUM_ENERGIES = NUM_GRATINGS // 2
NUM_PLACES = 4
LUMINANCE = (0.3, 0.5, 0.2)


def make_motion_network(config: HieraConfig, *, seed: int) -> Hiera:
    """An untrained video network whose first layers respond to motion.

    Raises:
        UsageError: a network for images, or one with fewer than 52 channels.
    """
    if not config.is_video or config.embed_dim < NUM_GRATINGS + NUM_ENERGIES + NUM_PLACES:
        raise UsageError("seeing motion takes a video network with at least 52 channels")
    rng_state = torch.get_rng_state()
    torch.manual_seed(seed)
    try:
        model = Hiera(config)
        with torch.no_grad():
            _scale_linear_layers(model)
            _set_gratings(model)
            _set_energies(model)
            _set_places(model)
    finally:
        torch.set_rng_state(rng_state)
    return model


def grating(
    size: tuple[int, ...], *, angle: float, wavelength: float, rate: float, phase: float
) -> Tensor:
    """A drifting wave under a Gaussian window: (T, H, W), zero mean, unit norm.

    Args:
        size: T, H, W.
        angle: of the wave's direction, in radians.
        wavelength: in pixels.
        rate: turns per frame; the sign says which way it drifts.
        phase: in radians.
    """
    t, y, x = torch.meshgrid(
        *(torch.arange(n, dtype=torch.float64) - (n - 1) / 2 for n in size), indexing="ij"
    )
    window = torch.exp(
        -(x**2 + y**2) / (2 * (size[1] / 3.6) ** 2) - t**2 / (2 * (size[0] / 2.2) ** 2)
    )
    along = (x * math.cos(angle) + y * math.sin(angle)) / wavelength
    wave = window * torch.cos(2 * math.pi * (along - rate * t) + phase)
    wave = wave - window * wave.sum() / window.sum()
    normed: Tensor = wave / wave.norm()
    return normed.float()


def _scale_linear_layers(model: nn.Module) -> None:
    """Weights of deviation 1 / √inputs, so that even narrow layers pass on what they see."""
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            nn.init.trunc_normal_(layer.weight, std=layer.in_features**-0.5)
            nn.init.zeros_(layer.bias)


def _set_gratings(model: Hiera) -> None:
    """The first channels see gratings in the luminance; those for energies and places nothing."""
    weight, bias = model.patch_embed.proj.parameters()
    size = tuple(weight.shape[2:])
    weight.mul_(0.2)
    nn.init.zeros_(bias)
    luminance = torch.tensor(LUMINANCE)[:, None, None, None]
    choices = itertools.product(ORIENTATIONS, (1, -1), WAVES, (0.0, math.pi / 2))
    for channel, (angle, sign, (wavelength, rate), phase) in enumerate(choices):
        wave = grating(size, angle=angle, wavelength=wavelength, rate=sign * rate, phase=phase)
        weight[channel] = 1.6 * luminance * wave
    weight[NUM_GRATINGS : NUM_GRATINGS + NUM_ENERGIES + NUM_PLACES] = 0


def _set_energies(model: Hiera) -> None:
    """The first MLP adds |a| + |b| of two gratings a quarter turn apart; the rest passes it on."""
    first, second, *others = (block for block in model.blocks if isinstance(block, Block))
    first.attn.proj.weight.mul_(0.1)
    fc1, fc2 = first.mlp.fc1.weight, first.mlp.fc2.weight
    num_hidden, first_energy = 2 * NUM_GRATINGS, NUM_GRATINGS
    fc2.mul_(0.3)
    fc1[:num_hidden] = 0
    fc2[:, :num_hidden] = 0
    fc2[first_energy : first_energy + NUM_ENERGIES] = 0
    for channel in range(NUM_GRATINGS):
        for half, sign in enumerate((1, -1)):
            fc1[2 * channel + half, channel] = 2 * sign
            fc2[first_energy + channel // 2, 2 * channel + half] = 0.6
    for block in (second, *others):
        block.attn.proj.weight.mul_(0.3)
        block.mlp.fc2.weight.mul_(0.3)
        if hasattr(block, "proj"):
            _pass_on(block.proj.weight)
    _set_products(second)


def _set_products(block: Block) -> None:
    """An MLP that adds motion times place, from |a + b| − |a − b|, in channels after its input's.

    One product for each orientation and wave, and each of the horizontal and vertical place.
    """
    fc1, fc2 = block.mlp.fc1.weight, block.mlp.fc2.weight
    num_waves, num_orientations = len(WAVES), len(ORIENTATIONS)
    num_products = num_orientations * num_waves * 2
    first_place, first_product = NUM_GRATINGS + NUM_ENERGIES, len(fc2) - num_products
    fc1[: 4 * num_products] = 0
    fc2[:, : 4 * num_products] = 0
    fc2[first_product:] = 0
    choices = itertools.product(range(num_orientations), range(num_waves), range(2))
    for product, (orientation, wave, axis) in enumerate(choices):
        forward = NUM_GRATINGS + (2 * orientation) * num_waves + wave
        backward = forward + num_waves
        for term, (motion, place) in enumerate(itertools.product((1, -1), repeat=2)):
            hidden = 4 * product + term
            fc1[hidden, forward], fc1[hidden, backward] = motion, -motion
            fc1[hidden, first_place + axis] = place
            fc2[first_product + product, hidden] = motion * place


def _pass_on(weight: Tensor) -> None:
    """A widening layer that copies its input, nearly, and adds mixtures of it."""
    num_inputs = weight.shape[1]
    weight.mul_(0.5)
    noise = 0.1 * num_inputs**-0.5 * torch.randn(num_inputs, num_inputs)
    weight[:num_inputs] = torch.eye(num_inputs) + noise


def _set_places(model: Hiera) -> None:
    """Four channels say where in the picture a token is: x, y, the distance, the diagonal."""
    positions = model.pos_embed_spatial
    rows, columns = model.config.grid_size[-2:]
    y, x = torch.meshgrid(
        torch.linspace(-1, 1, rows), torch.linspace(-1, 1, columns), indexing="ij"
    )
    nn.init.normal_(positions, std=0.02)
    start = NUM_GRATINGS + NUM_ENERGIES
    places = torch.stack([x, y, x**2 + y**2 - 0.8, x * y], dim=-1)
    positions[0, :, start : start + NUM_PLACES] = places.flatten(0, 1)
    model.head.projection.weight.mul_(0.1)
