from dataclasses import replace

import torch

from hiera_cli.model.window_positions import split_positions, tile_positions, with_size
from tests.configs import tiny_image, tiny_video


def test_what_repeats_and_what_is_left_are_the_embedding():
    grid = torch.randn(16, 24, 4)
    repeating, rest = split_positions(grid, (8, 8))
    assert repeating.shape == (8, 8, 4)
    torch.testing.assert_close(rest + repeating.repeat(2, 3, 1), grid)
    torch.testing.assert_close(split_positions(rest, (8, 8))[0], torch.zeros(8, 8, 4))


def test_an_embedding_that_repeats_stays_in_step_with_the_windows():
    small, large = tiny_image(64), tiny_image(160)
    pattern = torch.randn(8, 8, 8)
    state = {"pos_embed": pattern.repeat(2, 2, 1).view(1, -1, 8), "norm.weight": torch.ones(2)}
    tiled = tile_positions(state, small, large)
    expected = pattern.repeat(5, 5, 1).view(1, -1, 8)
    torch.testing.assert_close(tiled["pos_embed"], expected)
    assert tiled["norm.weight"] is state["norm.weight"]


def test_the_trained_size_keeps_the_embedding():
    config = tiny_image(64)
    state = {"pos_embed": torch.randn(1, 256, 8)}
    assert torch.equal(tile_positions(state, config, config)["pos_embed"], state["pos_embed"])


def test_video_keeps_its_time():
    small = tiny_video(32)
    large = with_size(small, 64, 96)
    assert large.input_size == (4, 64, 96)
    state = {
        "pos_embed_spatial": torch.randn(1, 64, 8),
        "pos_embed_temporal": torch.randn(1, 2, 8),
    }
    tiled = tile_positions(state, small, large)
    assert tiled["pos_embed_spatial"].shape == (1, 16 * 24, 8)
    assert tiled["pos_embed_temporal"] is state["pos_embed_temporal"]
    joint = replace(small, sep_pos_embed=False)
    whole = tile_positions({"pos_embed": torch.randn(1, 128, 8)}, joint, with_size(joint, 64, 64))
    assert whole["pos_embed"].shape == (1, 512, 8)
