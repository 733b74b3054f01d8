"""The temperature that fits: known for scores that are too sure by a known factor."""

import pytest
import torch

from hiera_cli.model.hiera import Hiera
from hiera_cli.training.objectives.temperature import LARGEST, fit_temperature, with_temperature
from tests.model.networks import IMAGE, lively_hiera


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_factor_is_found(temperature: float) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(20_000, 5, generator=generator)
    targets = torch.multinomial(logits.softmax(1), 1, generator=generator).squeeze(1)
    assert fit_temperature(logits * temperature, targets) == pytest.approx(temperature, rel=0.04)


def test_limits() -> None:
    logits, targets = torch.eye(4), torch.arange(4)
    assert fit_temperature(logits, targets) == pytest.approx(1 / LARGEST, rel=0.01)
    assert fit_temperature(logits, targets.roll(1)) == pytest.approx(LARGEST, rel=0.01)


def test_the_copy_divides_its_logits() -> None:
    model: Hiera = lively_hiera(IMAGE)
    x = torch.randn(2, 3, *IMAGE.input_size)
    before = model(x)
    torch.testing.assert_close(with_temperature(model, 2.5)(x), before / 2.5)
    assert model(x).equal(before)
