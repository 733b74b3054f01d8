"""PyTorch's compiler gives what eager PyTorch gives, whatever the batch."""

import shutil

import pytest
import torch

from hiera_cli.inference.backend import Wanted, make_backend
from tests.models import random_views, tiny_loaded_model


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # what the compiler warns about is its own
@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")
def test_the_compiled_backend_gives_what_torch_gives_for_any_batch() -> None:
    loaded = tiny_loaded_model()
    compiled = make_backend(loaded, name="compile", device="cpu")
    eager = make_backend(tiny_loaded_model(), name="torch", device="cpu")
    assert compiled.name == "compile on cpu, float32"
    for num_views in (3, 1, 3, 4):  # padded to the largest so far; a larger one compiles again
        pixels, wanted = random_views(num_views, seed=num_views), Wanted(layer="final")
        got, expected = compiled.run(pixels, wanted), eager.run(pixels, wanted)
        assert got.scores is not None
        assert got.scores.shape == (num_views, 5)
        torch.testing.assert_close(got.scores, expected.scores, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(got.features, expected.features, rtol=1e-4, atol=1e-4)
    stage = Wanted(scores=False, layer="stage2", pool="max")
    got, expected = compiled.run(pixels, stage), eager.run(pixels, stage)
    torch.testing.assert_close(got.features, expected.features, rtol=1e-4, atol=1e-4)
