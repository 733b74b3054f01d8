"""The network that a run begins with: an architecture, and the weights to start from, if any."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from hiera_cli.checkpoints.folder import CONFIG_NAME, read_folder_config
from hiera_cli.checkpoints.open import find_source
from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.checkpoints.zoo import BUNDLED_MODEL, bundled_folder, find_checkpoint, unknown_model
from hiera_cli.errors import UsageError, WeightsError
from hiera_cli.model.config import HieraConfig
from hiera_cli.model.window_positions import tile_positions, with_size


@dataclass(frozen=True, eq=False, slots=True)
class Initial:
    """Where a run begins.

    Attributes:
        config: the architecture as a classifier.
        preprocessing: what its pixels are.
        labels: class names that the weights know; empty when they have no trained head.
        weights: by parameter name; None when training from scratch.
    """

    config: HieraConfig
    preprocessing: Preprocessing
    labels: tuple[str, ...] = ()
    weights: Mapping[str, Tensor] | None = None


def open_architecture(name: str) -> Initial:
    """The shape of a zoo model, of a model folder or in a config.json, without its weights.

    Raises:
        UsageError: no such model.
        WeightsError: a config.json that makes no sense.
    """
    official = find_checkpoint(name)
    if official is not None:
        return Initial(official[0].config, official[0].preprocessing)
    path = bundled_folder() if name == BUNDLED_MODEL else Path(name)
    if path.is_dir():
        path /= CONFIG_NAME
    if path.suffix != ".json":
        raise unknown_model(name)
    described = read_folder_config(path)
    found = described.preprocessing or Preprocessing.for_config(described.config)
    return Initial(described.config, found)


def open_pretrained(name: str) -> Initial:
    """A model with its weights: fine-tuned ones, or those of a masked autoencoder.

    Raises:
        UsageError: no such model, or an architecture alone.
        WeightsError: weights that are not available or damaged.
    """
    if name.endswith(".json"):
        raise UsageError(f"{name} is an architecture without weights", hint="add --from-scratch")
    source = find_source(name, need_head=False)
    weights = {key: source.file.tensor(key) for key in (*source.file.shapes, *source.file.parts)}
    labels = source.labels if source.has_head else ()
    return Initial(source.config, source.preprocessing, labels, weights)


def open_initial(name: str, *, from_scratch: bool) -> Initial:
    """A model with its weights, or its shape alone.

    Raises:
        UsageError: no such model.
        WeightsError: weights that are not available or damaged.
    """
    return open_architecture(name) if from_scratch else open_pretrained(name)


def as_in_run(initial: Initial, checkpoint: Path | None) -> Initial:
    """Where a run begins that goes on from a checkpoint: its head sees what it saw there.

    Args:
        initial: where it began.
        checkpoint: a folder; None: the run begins.

    Raises:
        WeightsError: the checkpoint's config.json makes no sense.
    """
    if checkpoint is None:
        return initial
    head_stages = read_folder_config(checkpoint / CONFIG_NAME).config.head_stages
    if head_stages == initial.config.head_stages:
        return initial
    return replace(initial, config=replace(initial.config, head_stages=head_stages), labels=())


def at_size(initial: Initial, size: int | None) -> Initial:
    """Where a run begins that looks at squares of another side in pixels; None: the same.

    Position embeddings are laid out anew: what repeats with the mask unit is tiled, the rest
    interpolated. The short side grows with the crop.

    Raises:
        WeightsError: mask units do not fill the size.
    """
    trained, pixels = initial.config, initial.preprocessing
    if size is None or size == trained.input_size[-1]:
        return initial
    config = with_size(trained, size, size)
    weights = initial.weights
    return replace(
        initial,
        config=config,
        preprocessing=sized(pixels, size),
        weights=None if weights is None else tile_positions(weights, trained, config),
    )


def sized(pixels: Preprocessing, size: int) -> Preprocessing:
    """The preprocessing with another crop, and a short side in the same proportion to it."""
    short_side = max(size, pixels.short_side * size // pixels.crop_size)
    return replace(pixels, crop_size=size, short_side=short_side)


def copy_weights(
    model: nn.Module, weights: Mapping[str, Tensor], *, fresh: tuple[str, ...]
) -> list[str]:
    """Fill a model, in place, with weights of the same shape.

    Args:
        model: what is filled.
        weights: by parameter name; those that the model does not have are left alone.
        fresh: prefixes of parameters that may keep their initial values.

    Returns:
        Names of the parameters that kept their initial values: absent or of another shape.

    Raises:
        WeightsError: a parameter outside `fresh` is absent or has another shape.
    """
    kept = []
    for name, parameter in model.state_dict().items():
        found = weights.get(name)
        if found is not None and found.shape == parameter.shape:
            parameter.copy_(found)
        elif name.startswith(fresh):
            kept.append(name)
        else:
            shape = "absent" if found is None else f"of shape {tuple(found.shape)}"
            raise WeightsError(
                f"the weights do not fit: {name} is {shape}, not {tuple(parameter.shape)}",
                hint="choose their architecture with -m, or train --from-scratch",
            )
    return kept


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Networks made inside are initialised from the seed; torch's own generator is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
