"""Features of boxes: over the whole picture they are the picture's, elsewhere the place's."""

import pytest
import torch
from torchvision.ops import roi_align

from hiera_cli.model.box_features import box_features
from hiera_cli.model.hiera import Hiera
from tests.configs import tiny_image, tiny_video
from tests.parity.official import enliven

SIZE = 224  # of which the last map has 7 x 7 places: RoIAlign takes each of them once


@pytest.fixture(scope="module", params=["video", "image"])
def case(request):
    config = tiny_video(SIZE) if request.param == "video" else tiny_image(SIZE)
    model = Hiera(config).eval()
    enliven(model, seed=0)
    generator = torch.Generator().manual_seed(1)
    return model, torch.randn(2, 3, *config.input_size, generator=generator)


def whole(num):
    return [torch.tensor([[0.0, 0.0, SIZE, SIZE]])] * num


@torch.no_grad()
def test_a_box_over_the_whole_picture_has_the_pictures_feature(case):
    model, x = case
    found = box_features(model, x, whole(2), layer="final", pool="mean")
    assert torch.allclose(found, model.forward_features(x), atol=1e-4)
    stage = model.forward_stages(x)[3]
    found = box_features(model, x, whole(2), layer="stage4", pool="mean")
    assert torch.allclose(found, stage.flatten(1, -2).mean(1), atol=1e-4)


@torch.no_grad()
def test_places_are_kept_or_their_largest_value_is_taken(case):
    model, x = case
    tokens = model.forward_tokens(x)
    if tokens.ndim == 5:
        tokens = tokens.mean(1)
    places = box_features(model, x, whole(2), layer="final", pool="none")
    assert torch.allclose(places, tokens, atol=1e-4)
    largest = box_features(model, x, whole(2), layer="final", pool="max")
    assert torch.allclose(largest, tokens.amax((1, 2)), atol=1e-4)


@torch.no_grad()
def test_boxes_are_looked_up_in_their_own_picture_and_place(case):
    model, x = case
    boxes = [
        torch.tensor([[0.0, 0, 90, 224], [120, 10, 224, 200]]),
        torch.tensor([[0.0, 0, 90, 224]]),
    ]
    found = box_features(model, x, boxes, layer="stage2", pool="mean")
    stage = model.forward_stages(x)[1]
    maps = (stage.mean(1) if stage.ndim == 5 else stage).permute(0, 3, 1, 2)
    expected = roi_align(maps, boxes, 7, maps.shape[-1] / SIZE, sampling_ratio=0, aligned=True)
    assert torch.allclose(found, expected.mean((2, 3)), atol=1e-5)
    distances = torch.cdist(found, found)
    assert distances[~torch.eye(3, dtype=torch.bool)].min() > 1e-2
