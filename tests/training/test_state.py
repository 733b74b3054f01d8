import pytest
import torch
from torch import nn

from hiera_cli.training.state import Average, decay_at


@pytest.mark.parametrize(
    ("step", "expected"), [(0, 0.1), (90, 0.91), (4489, 4490 / 4499), (10_000, 0.998)]
)
def test_the_decay_grows_with_the_steps(step: int, expected: float) -> None:
    assert decay_at(step, 0.998) == pytest.approx(expected)


def test_after_sixty_steps_the_average_is_close_to_the_trained_weights() -> None:
    """A weight that learns as a network does: fast at first, then slower towards its aim."""
    torch.manual_seed(0)
    model = nn.Linear(4, 3)
    start, aim = model.weight.detach().clone(), torch.randn(3, 4) * 3
    average, forgetful = Average(model, 0.998), model.weight.detach().clone()
    for step in range(60):
        with torch.no_grad():
            model.weight.lerp_(aim, 0.05)
            forgetful.lerp_(model.weight, 1 - 0.998)
        average.update(model, step=step)
    way = (model.weight - start).norm()
    assert (average.model.weight - model.weight).norm() < 0.1 * way
    assert (forgetful - model.weight).norm() > 0.8 * way  # what no warm-up leaves
    assert not average.model.weight.requires_grad
