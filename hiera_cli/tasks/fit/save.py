"""Writing a fitted head with its network as a model folder."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from hiera_cli.checkpoints.open import LoadedModel, save_model
from hiera_cli.heads.heads import FittedHead
from hiera_cli.model.hiera import Hiera, NeighbourHead
from hiera_cli.model.logistic import LinearHead


def save_fitted(
    folder: Path,
    loaded: LoadedModel,
    fitted: FittedHead,
    *,
    head_stages: tuple[int, ...],
    labels: tuple[str, ...],
    extra: Mapping[str, Any],
) -> None:
    """Write the folder that `-m` takes: the network as it was, the new head, the new labels.

    Args:
        folder: made where it is not there.
        loaded: the network that the features came from.
        fitted: over its features.
        head_stages: earlier stages that are in them.
        labels: one name a class.
        extra: more for config.json.

    Raises:
        OutputError: the folder cannot be written.
    """
    head = fitted.head
    before = loaded.model.state_dict()
    below = {name: value for name, value in before.items() if not name.startswith("head.")}
    config = replace(
        loaded.model.config,
        num_classes=len(labels),
        head_dropout=0.0,
        bank_size=0 if isinstance(head, LinearHead) else len(head.votes),
        num_neighbours=0 if isinstance(head, LinearHead) else head.num_neighbours,
        head_stages=head_stages,
    )
    with torch.device("meta"):
        model = Hiera(config)
    above = _head_weights(model, fitted)
    model.load_state_dict(below | above, assign=True)
    save_model(folder, model.eval(), labels=labels, preprocessing=loaded.preprocessing, extra=extra)


def _head_weights(model: Hiera, fitted: FittedHead) -> dict[str, torch.Tensor]:
    head = fitted.head
    linear = head if isinstance(head, LinearHead) else head.closeness
    weights = {"head.projection.weight": linear.weight, "head.projection.bias": linear.bias}
    if not isinstance(head, LinearHead):
        assert isinstance(model.head, NeighbourHead)
        weights["head.votes"] = head.votes
    return {name: value.float() for name, value in weights.items()}
