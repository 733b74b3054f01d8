"""Video understanding with Hiera: models, decoding, sampling, and the `hiera` command line.

    from hiera_cli import classify, evaluate, extract_features, load_model, probe, read_features

Everything here is imported on first use, so that `import hiera_cli` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hiera_cli.checkpoints.open import load_model
    from hiera_cli.errors import Failure, HieraError
    from hiera_cli.model.config import HieraConfig
    from hiera_cli.model.hiera import Hiera
    from hiera_cli.model.mae import MaskedAutoencoder
    from hiera_cli.options import EngineOptions
    from hiera_cli.tables.features import read_features
    from hiera_cli.tasks.classify import Classification, Prediction, classify
    from hiera_cli.tasks.evaluation.evaluate import evaluate
    from hiera_cli.tasks.evaluation.options import EvaluationOptions
    from hiera_cli.tasks.evaluation.summary import Summary
    from hiera_cli.tasks.features.extract import ClipFeature, extract_features
    from hiera_cli.tasks.probe import ProbeRecord, probe

__version__ = "0.1.0"

_HOMES = {
    "Classification": "tasks.classify",
    "ClipFeature": "tasks.features.extract",
    "EngineOptions": "options",
    "EvaluationOptions": "tasks.evaluation.options",
    "Failure": "errors",
    "Hiera": "model.hiera",
    "HieraConfig": "model.config",
    "HieraError": "errors",
    "MaskedAutoencoder": "model.mae",
    "Prediction": "tasks.classify",
    "ProbeRecord": "tasks.probe",
    "Summary": "tasks.evaluation.summary",
    "classify": "tasks.classify",
    "evaluate": "tasks.evaluation.evaluate",
    "extract_features": "tasks.features.extract",
    "load_model": "checkpoints.open",
    "probe": "tasks.probe",
    "read_features": "tables.features",
}

__all__ = [
    "Classification",
    "ClipFeature",
    "EngineOptions",
    "EvaluationOptions",
    "Failure",
    "Hiera",
    "HieraConfig",
    "HieraError",
    "MaskedAutoencoder",
    "Prediction",
    "ProbeRecord",
    "Summary",
    "classify",
    "evaluate",
    "extract_features",
    "load_model",
    "probe",
    "read_features",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'hiera_cli' has no attribute '{name}'")
    value = getattr(import_module(f"hiera_cli.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
