"""The network that a run begins with: an architecture, and the weights to start from, if any."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from hiera_cli.checkpoint import open_weights
from hiera_cli.errors import UsageError, WeightsError
from hiera_cli.model.config import HieraConfig
from hiera_cli.zoo import Preprocessing, find_checkpoint, unknown_model


@dataclass(frozen=True, eq=False, slots=True)
class Initial:
    """Where a run begins.

    Attributes:
        name: of the model, for people.
        config: the architecture as a classifier.
        preprocessing: what its pixels are.
        labels: class names that the weights know; empty when they have no trained head.
        weights: by parameter name; empty when training from scratch.
    """

    name: str
    config: HieraConfig
    preprocessing: Preprocessing
    labels: tuple[str, ...] = ()
    weights: Mapping[str, Tensor] | None = None


def open_initial(name: str, *, from_scratch: bool) -> Initial:
    """Find an architecture by zoo name, folder or config.json, with weights unless from scratch.

    Raises:
        UsageError: no such model, or a bare config.json without `from_scratch`.
        WeightsError: weights that are not available or damaged.
    """
    path = Path(name)
    if path.is_dir() or path.suffix == ".json":
        return _open_local(path, from_scratch=from_scratch)
    found = find_checkpoint(name)
    if found is None:
        raise unknown_model(name)
    return Initial(found[0].name, found[0].config, found[0].preprocessing)


def _open_local(path: Path, *, from_scratch: bool) -> Initial:
    config_path = path / "config.json" if path.is_dir() else path
    try:
        values = json.loads(config_path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"cannot read {config_path}: {error}") from error
    config = HieraConfig.from_dict(values)
    stored = values.get("preprocessing")
    preprocessing = Preprocessing.from_dict(stored) if stored else Preprocessing.for_config(config)
    if from_scratch:
        return Initial(path.stem, config, preprocessing)
    if not path.is_dir():
        raise UsageError(f"{path} has no weights", hint="add --from-scratch")
    file = open_weights(path / "model.safetensors")
    labels = tuple(values.get("labels") or ()) if file.has_head else ()
    weights = {key: file.tensor(key) for key in file.shapes}
    return Initial(path.name, config, preprocessing, labels, weights)


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
