import pytest
import torch

from hiera_cli.model.detector_parts import ExactAnchors, box_losses


def test_anchors_have_exactly_their_size_and_ratio():
    ratios = (0.5, 1.0, 2.0)
    anchors = ExactAnchors(((20.0,),), (ratios,)).generate_anchors((20.0,), ratios)
    sides = anchors[:, 2:] - anchors[:, :2]
    assert sides.prod(1).tolist() == pytest.approx([400.0] * 3)
    assert (sides[:, 1] / sides[:, 0]).tolist() == pytest.approx(list(ratios))
    assert (anchors[:, 2:] + anchors[:, :2]).abs().max() == 0


def test_boxes_are_learnt_by_the_absolute_error_of_the_true_class():
    logits = torch.zeros(3, 3)
    deltas = torch.zeros(3, 12)
    deltas[1, 8:] = torch.tensor([0.5, 0.0, -1.0, 3.0])  # of class 2
    wanted = torch.zeros(3, 4)
    losses = box_losses(logits, deltas, torch.tensor([0, 2, 0]), wanted)
    assert losses["loss_box_reg"].item() == pytest.approx(4.5 / 3)
    assert losses["loss_classifier"].item() == pytest.approx(torch.log(torch.tensor(3.0)).item())
