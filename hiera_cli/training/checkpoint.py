"""The folder of a training run, and how it survives being killed at any moment.

    RUN/config.json, model.safetensors      the best model so far: `hiera classify -m RUN`
    RUN/last/config.json, model.safetensors the newest model
    RUN/last/training_state.pt              what continuing needs besides: optimizer, counters
    RUN/metrics.jsonl                       every step and epoch

`last` is replaced as a whole: the new folder is complete on disk before the old one goes.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from hiera_cli.errors import OutputError, WeightsError
from hiera_cli.files import flush, replacing

WEIGHTS_FILE = "model.safetensors"
STATE_FILE = "training_state.pt"
WriteModel = Callable[[Path], None]


class RunFolder:
    """Where a run keeps its results and its state."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._last = path / "last"
        self._old = path / "last.old"
        self._new = path / "last.new"

    @property
    def metrics_path(self) -> Path:
        """The run's metrics.jsonl."""
        return self.path / "metrics.jsonl"

    def create(self) -> None:
        """Make the folder.

        Raises:
            OutputError: it cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot create {self.path}: {error.strerror}") from error

    def newest(self) -> Path | None:
        """The newest complete checkpoint; None when the run has none."""
        return next((f for f in (self._last, self._old) if (f / STATE_FILE).exists()), None)

    def clear(self) -> None:
        """Forget an earlier run: its state and its metrics; the old result stays until the next."""
        for folder in (self._new, self._old, self._last):
            shutil.rmtree(folder, ignore_errors=True)
        self.metrics_path.unlink(missing_ok=True)

    def save_last(self, state: dict[str, Any], write_model: WriteModel) -> None:
        """Replace `last` by the model and the state to continue from."""
        shutil.rmtree(self._new, ignore_errors=True)
        self._new.mkdir()
        write_model(self._new)
        _write_state(self._new / STATE_FILE, state)
        shutil.rmtree(self._old, ignore_errors=True)
        if self._last.exists():
            self._last.rename(self._old)
        self._new.rename(self._last)
        flush(self.path)
        shutil.rmtree(self._old, ignore_errors=True)

    def save_best(self, write_model: WriteModel) -> None:
        """Replace the run's result."""
        write_model(self.path)


def read_state(folder: Path) -> dict[str, Any]:
    """The training state of a checkpoint folder.

    Raises:
        WeightsError: the file is damaged.
    """
    path = folder / STATE_FILE
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, UnpicklingError) as error:
        raise WeightsError(f"cannot read {path}: {error}") from error
    return state


def read_weights(folder: Path) -> dict[str, Tensor]:
    """The model's state dict in a checkpoint folder.

    Raises:
        WeightsError: the file is damaged.
    """
    path = folder / WEIGHTS_FILE
    try:
        weights: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"cannot read {path}: {error}") from error
    return weights


def _write_state(path: Path, state: dict[str, Any]) -> None:
    with replacing(path) as part:
        torch.save(state, part)
