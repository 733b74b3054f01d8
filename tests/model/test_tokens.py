import pytest
import torch
import torch.nn.functional as F

from hiera_cli.model.block import max_pool
from hiera_cli.model.config import HieraConfig
from hiera_cli.model.tokens import TokenGrid, reroll, unroll
from tests.parity.official import VIDEO

IMAGE_GRID = TokenGrid(units=(2, 3), digits=((2, 2), (2, 2), (2, 2), (1, 1)))
VIDEO_GRID = TokenGrid(units=(4, 2, 1), digits=((1, 2, 2), (1, 2, 2), (1, 2, 2)))
UNEVEN_GRID = TokenGrid(units=(2, 1, 2), digits=((2, 2, 2), (1, 3, 2)))


def numbered(grid: TokenGrid) -> torch.Tensor:
    num_tokens = grid.num_units * torch.Size(grid.unit_size).numel()
    return torch.arange(2 * num_tokens, dtype=torch.float32).view(2, *grid.size, 1)


@pytest.mark.parametrize("grid", [IMAGE_GRID, VIDEO_GRID, UNEVEN_GRID])
def test_reroll_undoes_unroll(grid):
    x = numbered(grid)
    assert torch.equal(reroll(unroll(x, grid), grid), x)


def test_a_unit_is_a_square_of_the_picture():
    x = numbered(IMAGE_GRID)
    tokens = unroll(x, IMAGE_GRID)
    assert tokens.shape == (2, 6, 64, 1)
    second_row_last_column = x[0, 8:16, 16:24].flatten().sort().values
    assert torch.equal(tokens[0, 5].flatten().sort().values, second_row_last_column)


@pytest.mark.parametrize("grid", [IMAGE_GRID, VIDEO_GRID])
def test_pooling_partners_are_neighbours(grid):
    x = torch.randn(2, *grid.size, 5)
    pooled, pooled_grid = max_pool(unroll(x, grid), 4), grid.pooled()
    pool = F.max_pool3d if len(grid.units) == 3 else F.max_pool2d
    stride = (1, 2, 2)[-len(grid.units) :]
    expected = pool(x.movedim(-1, 1), stride, stride).movedim(1, -1)
    assert torch.equal(reroll(pooled, pooled_grid), expected)
    twice = max_pool(pooled, 4)
    expected = pool(expected.movedim(-1, 1), stride, stride).movedim(1, -1)
    assert torch.equal(reroll(twice, pooled_grid.pooled()), expected)


def test_grid_of_the_video_network():
    grid = TokenGrid.from_config(HieraConfig(**VIDEO))
    assert grid.size == (8, 56, 56)
    assert grid.units == (8, 7, 7)
    assert grid.unit_size == (1, 8, 8)
    assert grid.pooled().pooled().pooled().size == (8, 7, 7)
