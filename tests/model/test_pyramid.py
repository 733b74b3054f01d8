from dataclasses import replace

import pytest
import torch

from hiera_cli.errors import UsageError
from hiera_cli.model.pyramid import FeaturePyramid, Windows, global_blocks, windows_for
from tests.configs import tiny_image, tiny_video
from tests.model.networks import lively_hiera


def test_maps_are_the_stages_channels_first():
    model = lively_hiera(tiny_image(64))
    pyramid = FeaturePyramid(model)
    x = torch.randn(2, 3, 64, 64)
    maps = pyramid(x)
    for found, stage in zip(maps, model.forward_stages(x), strict=True):
        assert torch.equal(found, stage.permute(0, 3, 1, 2))
    assert pyramid.channels == (8, 16, 32, 64)
    assert pyramid.strides == (4, 8, 16, 32)


@pytest.mark.parametrize("time", ["mean", "middle"])
def test_a_videos_time(time):
    model = lively_hiera(tiny_video(32))
    x = torch.randn(1, 3, 4, 32, 32)
    last = model.forward_stages(x)[-1]
    expected = last.mean(1) if time == "mean" else last[:, 1]
    found = FeaturePyramid(model, time=time)(x)[-1]
    torch.testing.assert_close(found, expected.permute(0, 3, 1, 2))


def test_windows_of_the_whole_picture_are_no_windows():
    model = lively_hiera(tiny_image(96))
    x = torch.randn(1, 3, 96, 96)
    windowed = FeaturePyramid(model, windows=Windows((3, 3), ()))
    for found, expected in zip(windowed(x), FeaturePyramid(model)(x), strict=True):
        torch.testing.assert_close(found, expected)


def test_nothing_is_seen_beyond_a_window():
    """160 pixels are five mask units: two windows of two and a smaller one at the edge."""
    model = lively_hiera(tiny_image(160))
    windowed = FeaturePyramid(model, windows=Windows((2, 2), ()))
    x = torch.randn(1, 3, 160, 160)
    changed = x.clone()
    changed[..., :60, :60] += 1  # in the first window; the patch kernel reaches 3 pixels further
    with torch.no_grad():
        before, after = windowed(x)[-1], windowed(changed)[-1]
    differs = (before - after).abs().amax(1)[0] > 0
    assert differs[:2, :2].all()
    assert not differs[2:].any()
    assert not differs[:, 2:].any()


def test_a_window_is_the_network_on_a_part_of_the_picture():
    """Without global blocks, and with positions that repeat, a corner sees only itself."""
    part = lively_hiera(replace(tiny_image(64), patch_kernel=(4, 4), patch_padding=(0, 0)))
    whole = lively_hiera(replace(part.config, input_size=(160, 160)))
    state = part.state_dict()
    rows = state["pos_embed"].view(16, 16, 8).repeat(3, 3, 1)[:40, :40]
    whole.load_state_dict(state | {"pos_embed": rows.reshape(1, -1, 8)})
    x = torch.randn(1, 3, 160, 160)
    with torch.no_grad():
        found = FeaturePyramid(whole, windows=Windows((2, 2), ()))(x)
        expected = FeaturePyramid(part)(x[..., 64:128, 64:128])
    for map_, corner in zip(found, expected, strict=True):
        size = corner.shape[-1]
        torch.testing.assert_close(map_[..., size : 2 * size, size : 2 * size], corner)


def test_global_blocks_see_everything():
    config = tiny_image(160, stages=(1, 1, 2, 1))
    assert windows_for(config, (64, 64)) == Windows((2, 2), (3, 3, 3))
    model = lively_hiera(config)
    x = torch.randn(1, 3, 160, 160, requires_grad=True)
    FeaturePyramid(model, windows=Windows((2, 2), (3,)))(x)[2][..., 0, 0].sum().backward()
    assert x.grad is not None
    assert x.grad[..., -32:, -32:].abs().sum() > 0


def test_the_global_blocks_of_sam():
    assert global_blocks((2, 3, 16, 3)) == (12, 16, 20)
    assert global_blocks((2, 6, 36, 4)) == (23, 33, 43)
    assert global_blocks((1, 2, 8, 2)) == (6, 8, 10)


def test_windows_are_for_pictures():
    with pytest.raises(UsageError, match="image networks"):
        FeaturePyramid(lively_hiera(tiny_video(32)), windows=Windows((1, 1), ()))
