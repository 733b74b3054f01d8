"""Occlusion by deleted mask units, against deleting them by hand."""

import numpy as np
import pytest
import torch

from hiera_cli.inference.pixel_model import pixel_model
from hiera_cli.tasks import explain
from hiera_cli.tasks.explain import occlude
from tests.models import random_views, tiny_loaded_model


def test_a_value_is_the_fall_of_the_logit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explain, "MAX_DELETIONS", 10_000)
    module = pixel_model(tiny_loaded_model())
    pixels = random_views(1)
    model = module.model
    with torch.inference_mode():
        falls = occlude(module, pixels, 2)
        tokens = model.embed(module.normalise(pixels))
        features = model.norm(model.encode(tokens[:, 1:])[-1].mean((1, 2)))
        expected = float(module(pixels)[0][0, 2] - model.forward_head(features)[0, 2])
    assert falls.shape == model.grid.units
    assert falls.reshape(-1)[0] == pytest.approx(expected, abs=1e-5)
    assert np.abs(falls).max() > 0


def test_units_are_joined_in_time_where_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    module = pixel_model(tiny_loaded_model())
    units = module.model.grid.units
    monkeypatch.setattr(explain, "MAX_DELETIONS", units[1] * units[2])
    with torch.inference_mode():
        falls = occlude(module, random_views(1), 0)
    assert np.allclose(falls, falls[:1])
