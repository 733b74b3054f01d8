"""Networks laid out for the shapes of frames."""

import torch

from hiera_cli.detection.whole_frames import MOST_SHAPES, WholeFrames
from hiera_cli.model.hiera import Hiera
from tests.configs import tiny_video


def test_frames_are_fitted_to_whole_mask_units_and_few_networks_are_kept():
    frames = WholeFrames(Hiera(tiny_video(32)).eval())
    clips = torch.arange(2 * 3 * 4 * 30 * 70).remainder(255).view(2, 3, 4, 30, 70).byte()
    model, pixels = frames.fit(clips)
    assert tuple(pixels.shape) == (2, 3, 4, 32, 64)
    assert model.config.input_size == (4, 32, 64)
    assert torch.equal(frames.fit(clips[1])[1], pixels[1])
    assert frames.fit(clips)[0] is model
    for width in range(1, MOST_SHAPES + 1):
        frames.fit(torch.zeros(3, 4, 64, 32 * width, dtype=torch.uint8))
    assert frames.fit(clips)[0] is not model  # it was let go
