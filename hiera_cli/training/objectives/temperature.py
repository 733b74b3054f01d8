"""How sure a classifier may be: the temperature that fits its scores to held-out clips."""

import copy
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from hiera_cli.model.hiera import Hiera

NUM_HALVINGS = 40
LARGEST = 20.0


def fit_temperature(logits: Tensor, targets: Tensor) -> float:
    """What logits are to be divided by for the least cross entropy (Guo et al. 2017).

    The cross entropy is convex in the inverse temperature: its slope is bisected between the
    temperatures 1/20 and 20, which are also the answers where all is right or nothing known.

    Args:
        logits: (N, K) float of held-out clips.
        targets: (N,) int64.
    """
    logits = logits.double()
    true = logits.gather(1, targets[:, None]).squeeze(1)
    low, high = 1 / LARGEST, LARGEST  # of the inverse
    for _ in range(NUM_HALVINGS):
        middle = math.sqrt(low * high)
        expected = (F.softmax(middle * logits, dim=1) * logits).sum(1)
        if (expected - true).mean() > 0:  # sharper is worse
            high = middle
        else:
            low = middle
    return 1 / math.sqrt(low * high)


@torch.no_grad()
def with_temperature(model: Hiera, temperature: float) -> Hiera:
    """A copy of the model whose head divides its logits by the temperature."""
    cooled = copy.deepcopy(model)
    for parameter in cooled.head.projection.parameters():
        parameter.div_(temperature)
    return cooled
