"""All that changes while a model trains."""

import copy
from typing import Any

import torch
from torch import Tensor, nn


class Average:
    """An exponential moving average of a model's weights.

    It begins as the initial weights: for the first steps it follows the model closely, so that
    they are forgotten however short the run is.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(model).requires_grad_(requires_grad=False).eval()
        self._decay = decay

    @torch.no_grad()
    def update(self, model: nn.Module, *, step: int) -> None:
        """Move the average towards the model, which has done `step` steps before this one."""
        decay = decay_at(step, self._decay)
        for kept, new in zip(self.model.parameters(), model.parameters(), strict=True):
            kept.lerp_(new.to(kept.dtype), 1 - decay)


def decay_at(step: int, decay: float) -> float:
    """The decay of an average at a step: what is asked for, but less at first."""
    return min(decay, (1 + step) / (10 + step))


class TrainingState:
    """Model, optimizer and counters: what a checkpoint holds and a continued run needs.

    Attributes:
        model: what is trained.
        optimizer: with its moments.
        scaler: the loss scale of float16.
        average: averaged weights, or None.
        step: optimizer steps done.
        loss_sum, num_clips: of the running epoch.
        best: the best validation accuracy so far (with the lower loss among equals).
        num_worse: validations since the best one.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler,
        average: Average | None,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.scaler = scaler
        self.average = average
        self.step = 0
        self.loss_sum = 0.0
        self.num_clips = 0
        self.best: tuple[float, float] = (-1.0, 0.0)
        self.num_worse = 0

    @property
    def result(self) -> nn.Module:
        """The weights to validate and to keep."""
        return self.average.model if self.average else self.model

    def to_dict(self) -> dict[str, Any]:
        """All but the model itself, as tensors and plain values."""
        return {
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "average": self.average.model.state_dict() if self.average else None,
            "step": self.step,
            "loss_sum": self.loss_sum,
            "num_clips": self.num_clips,
            "best": list(self.best),
            "num_worse": self.num_worse,
        }

    def load_dict(self, values: dict[str, Any], weights: dict[str, Tensor]) -> None:
        """Continue from what `to_dict` gave, and the model's state dict."""
        self.model.load_state_dict(weights)
        self.optimizer.load_state_dict(values["optimizer"])
        self.scaler.load_state_dict(values["scaler"])
        if self.average:
            self.average.model.load_state_dict(values["average"])
        self.step = values["step"]
        self.loss_sum = values["loss_sum"]
        self.num_clips = values["num_clips"]
        self.best = (values["best"][0], values["best"][1])
        self.num_worse = values.get("num_worse", 0)
