"""Masks of pretraining: how many units, which ones, the same in all frames for tubes."""

import math

import pytest
import torch

from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.model.masking import true_at
from hiera_cli.model.tokens import TokenGrid
from hiera_cli.training.distributed import Process
from hiera_cli.training.objectives.reconstruction import ReconstructionObjective
from tests.model.networks import CLIP, IMAGE


def masks(config, *, tubes: bool) -> torch.Tensor:
    objective = ReconstructionObjective(
        config,
        Preprocessing.for_config(config),
        mask_ratio=0.75,
        tubes=tubes,
        process=Process(0, 1, 0, torch.device("cpu")),
    )
    visible = objective.visible(torch.arange(20))
    assert visible.equal(visible.sort(dim=1).values)
    return true_at(visible, math.prod(TokenGrid.from_config(config).units))


@pytest.mark.parametrize("tubes", [False, True])
def test_a_quarter_is_visible(tubes: bool) -> None:
    found = masks(CLIP, tubes=tubes)
    assert found.shape == (20, 8)
    assert found.sum(1).tolist() == [2] * 20  # of 2 times 4 places: two, or one place at both times
    assert len({tuple(row.tolist()) for row in found}) > 3


def test_tubes_hide_the_same_places_at_all_times() -> None:
    tubes, random = masks(CLIP, tubes=True), masks(CLIP, tubes=False)
    assert tubes[:, :4].equal(tubes[:, 4:])
    assert not random[:, :4].equal(random[:, 4:])


def test_pictures_have_no_tubes() -> None:
    assert masks(IMAGE, tubes=True).equal(masks(IMAGE, tubes=False))
