from dataclasses import replace

import pytest
import torch
from torchvision.ops import roi_align

from hiera_cli.errors import WeightsError
from hiera_cli.model.box_detector import AlignedPool, BoxDetector, BoxDetectorConfig
from hiera_cli.model.detector_parts import mask_loss, masks_in_boxes
from hiera_cli.model.hiera import Encoder
from tests.configs import tiny_image

SMALL = BoxDetectorConfig(2, channels=16, head_convs=1, anchor_scale=4, proposals=20)


def test_losses_in_training_and_boxes_in_evaluation():
    torch.manual_seed(0)
    model = BoxDetector(Encoder(tiny_image(96)), SMALL)
    target = {"boxes": torch.tensor([[8.0, 8, 40, 40]]), "labels": torch.tensor([2])}
    found, losses = model.train()(torch.randn(1, 3, 96, 96), [(64, 96)], [target])
    assert found == []
    assert set(losses) == {
        "loss_objectness", "loss_rpn_box_reg", "loss_classifier", "loss_box_reg",
    }  # fmt: skip
    sum(losses.values()).backward()
    unused = [name for name, p in model.named_parameters() if p.grad is None]
    assert unused == []
    with torch.no_grad():
        found, losses = model.eval()(torch.randn(2, 3, 96, 96), [(64, 96), (96, 50)])
    assert losses == {}
    assert len(found) == 2
    assert found[0]["boxes"][:, 3].max() <= 64
    assert found[1]["boxes"][:, 2].max() <= 50
    assert set(found[0]["labels"].tolist()) <= {1, 2}


def test_masks_are_learnt_and_found():
    torch.manual_seed(0)
    model = BoxDetector(Encoder(tiny_image(96)), replace(SMALL, masks=True, score_threshold=0.0))
    masks = torch.zeros(1, 64, 96, dtype=torch.bool)
    masks[:, 8:40, 8:40] = True
    full = {"boxes": torch.tensor([[8.0, 8, 40, 40]]), "labels": torch.tensor([2])}
    empty = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.long)}
    targets = [full | {"masks": masks}, empty | {"masks": masks[:0]}]
    _, losses = model.train()(torch.randn(2, 3, 96, 96), [(64, 96), (64, 96)], targets)
    assert losses["loss_mask"] > 0
    sum(losses.values()).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []
    _, losses = model(torch.randn(1, 3, 96, 96), [(64, 96)], targets[1:])
    assert losses["loss_mask"] == 0
    with torch.no_grad():
        found, _ = model.eval()(torch.randn(2, 3, 96, 96), [(64, 96), (96, 50)])
    for picture in found:
        assert picture["masks"].shape == (len(picture["boxes"]), 28, 28)
        assert ((picture["masks"] >= 0) & (picture["masks"] <= 1)).all()


def test_the_mask_loss_looks_at_the_right_classes():
    wanted = torch.zeros(2, 2, 2)
    wanted[:, 0] = 1
    logits = torch.zeros(2, 4, 2, 2)
    logits[0, 3] = logits[1, 1] = 20 * (2 * wanted[0] - 1)
    logits[0, 1] = logits[1, 3] = -20 * (2 * wanted[0] - 1)
    assert mask_loss(logits, torch.tensor([3, 1]), wanted) < 1e-6
    assert mask_loss(logits, torch.tensor([1, 3]), wanted) == pytest.approx(20)


def test_masks_in_boxes_are_those_of_their_thing():
    masks = torch.zeros(2, 8, 8, dtype=torch.bool)
    masks[1, 2:6, 4:8] = True
    seen = masks_in_boxes(masks, torch.tensor([1, 0]), torch.tensor([[2.0, 2, 8, 6]] * 2), 6)
    assert seen[1].sum() == 0
    assert seen[0].tolist() == [[0, 0, 1, 1, 1, 1]] * 6


def test_pooling_is_aligned_and_takes_the_level_of_the_box():
    maps = {str(i): torch.randn(1, 3, 256 // s, 256 // s) for i, s in enumerate((4, 8, 16, 32))}
    boxes = torch.tensor([[3.0, 5, 60, 70], [0, 0, 240, 230]])  # levels 2 and 4 by k0 = 4, 224
    pooled = AlignedPool(7, (4, 8, 16, 32))(maps, [boxes], [(256, 256)])
    for row, (level, stride) in enumerate((("0", 4), ("2", 16))):
        expected = roi_align(maps[level], [boxes[row : row + 1]], 7, 1 / stride, aligned=True)
        assert torch.equal(pooled[row : row + 1], expected)


@pytest.mark.parametrize(
    "changes", [{"channels": 0}, {"num_classes": 1.5}, {"anchor_scale": float("nan")}, {"masks": 1}]
)
def test_a_shape_that_makes_no_sense(changes):
    with pytest.raises(WeightsError, match="detector"):
        BoxDetectorConfig(**{"num_classes": 2, **changes})
