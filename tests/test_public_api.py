import importlib
import subprocess
import sys
from pathlib import Path

import hiera_cli

PUBLIC = {
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
}


def test_the_public_names_are_these() -> None:
    assert set(hiera_cli.__all__) == PUBLIC


def test_every_public_name_is_there_and_documented() -> None:
    for name in hiera_cli.__all__:
        assert getattr(hiera_cli, name).__doc__, name


def test_the_package_is_typed() -> None:
    assert Path(hiera_cli.__file__).with_name("py.typed").exists()


def test_importing_the_package_or_the_command_line_loads_nothing_heavy() -> None:
    code = (
        "import sys, hiera_cli, hiera_cli.cli.app\n"
        "heavy = {'torch', 'torchvision', 'av', 'pandas', 'pyarrow', 'numpy', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stderr


def test_unknown_names_are_attribute_errors() -> None:
    assert not hasattr(importlib.import_module("hiera_cli"), "nonsense")
