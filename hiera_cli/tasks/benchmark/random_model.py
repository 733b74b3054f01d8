"""Networks with random weights and noise to feed them: enough to measure speed, no more.

Speed does not depend on the weights, so that nothing has to be downloaded to measure it. Nothing
made here may be shown as a prediction.
"""

import torch
from torch import nn

from hiera_cli.checkpoints.open import LoadedModel, open_model
from hiera_cli.checkpoints.zoo import find_model
from hiera_cli.errors import UsageError
from hiera_cli.inference.pixel_model import pixel_model
from hiera_cli.model.config import HieraConfig
from hiera_cli.model.hiera import Hiera
from hiera_cli.options import EngineOptions
from hiera_cli.tasks.benchmark.peak import count_gflops

CHECKPOINT = "random weights"


def open_for_timing(options: EngineOptions) -> LoadedModel:
    """The model of the options; a plain zoo name stands for its shape, with random weights.

    Raises:
        UsageError, WeightsError: as `weights.open_model`.
    """
    if options.weights is None and find_model(options.model) is not None:
        return random_model(options.model)
    return open_model(
        options.model,
        weights=options.weights,
        offline=options.offline,
        cache_dir=options.cache_dir,
        need_head=False,
    )


def random_model(name: str, *, seed: int = 0) -> LoadedModel:
    """A zoo model with random weights on the CPU.

    Raises:
        UsageError: no architecture is called that.
    """
    zoo = find_model(name)
    if zoo is None:
        raise UsageError(f"no model is called '{name}'", hint="hiera models list shows the names")
    return LoadedModel(
        model=random_network(zoo.config, seed=seed),
        name=name,
        preprocessing=zoo.preprocessing,
        labels=(),
        weights_path=None,
        checkpoint=CHECKPOINT,
        has_head=False,
    )


def random_network(
    config: HieraConfig, *, seed: int = 0, device: torch.device | str = "cpu"
) -> Hiera:
    """A classifier with random weights, in eval mode, made where it is to be."""
    with torch.device("meta"):
        model = Hiera(config)
    model = model.to_empty(device=device).eval()
    randomise(model, seed=seed)
    return model


@torch.no_grad()
def randomise(model: nn.Module, *, seed: int) -> None:
    """Weights that keep the size of what flows through, so that rounding shows as it would."""
    generator = torch.Generator(next(model.parameters()).device).manual_seed(seed)
    for name, parameter in model.named_parameters():
        if "norm" in name and name.endswith("weight"):
            parameter.fill_(1.0)
        else:
            fan_in = parameter[0].numel() if parameter.ndim > 1 else 2500
            parameter.normal_(std=fan_in**-0.5, generator=generator)


def random_pixels(loaded: LoadedModel, num_views: int, *, seed: int = 0) -> torch.Tensor:
    """Noise (num_views, 3, T, H, W) or (num_views, 3, H, W), float32 in 0..255."""
    generator = torch.Generator().manual_seed(seed)
    config = loaded.model.config
    return torch.rand(num_views, config.in_chans, *config.input_size, generator=generator) * 255


def view_gflops(loaded: LoadedModel) -> float:
    """Floating-point operations of one view, in 10^9, two per multiply-add."""
    config = loaded.model.config
    return count_gflops(pixel_model(loaded), (1, config.in_chans, *config.input_size))
