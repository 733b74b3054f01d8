"""torchvision's parts of a detector, where they differ from Detectron2's that ViTDet is made of.

Anchors are not rounded, boxes are learnt by the plain absolute error (smooth L1 with beta 0), and
what is pooled is aligned.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import RegionProposalNetwork
from torchvision.ops import roi_align
from torchvision.ops.poolers import LevelMapper


class ExactAnchors(AnchorGenerator):  # type: ignore[misc]
    """Anchors of exactly the size and ratio asked for."""

    def generate_anchors(
        self,
        scales: Any,
        aspect_ratios: Any,
        dtype: torch.dtype = torch.float32,
        device: torch.device = torch.device("cpu"),  # noqa: B008
    ) -> Tensor:
        """(R * S, 4) corners around the origin: of every ratio (height over width) every size."""
        sizes = torch.as_tensor(scales, dtype=dtype, device=device)
        roots = torch.as_tensor(aspect_ratios, dtype=dtype, device=device).sqrt()
        widths = (sizes[None] / roots[:, None]).flatten()
        heights = (sizes[None] * roots[:, None]).flatten()
        return torch.stack([-widths, -heights, widths, heights], dim=1) / 2


class Proposals(RegionProposalNetwork):  # type: ignore[misc]
    """The proposal network, its boxes learnt by the absolute error."""

    def compute_loss(
        self,
        objectness: Tensor,
        pred_bbox_deltas: Tensor,
        labels: list[Tensor],
        regression_targets: list[Tensor],
    ) -> tuple[Tensor, Tensor]:
        """Losses () of what is there and where, the mean over the sampled anchors.

        Args:
            objectness: (A, 1) logits of the anchors of all pictures.
            pred_bbox_deltas: (A, 4).
            labels: of each picture's anchors: 1 something, 0 nothing, -1 neither.
            regression_targets: of each picture's anchors, (N, 4).
        """
        positive, negative = (
            torch.cat(chosen).nonzero().flatten() for chosen in self.fg_bg_sampler(labels)
        )
        sampled = torch.cat([positive, negative])
        wanted = torch.cat(regression_targets)[positive]
        where = F.l1_loss(pred_bbox_deltas[positive], wanted, reduction="sum")
        logits, truth = objectness.flatten()[sampled], torch.cat(labels)[sampled]
        what = F.binary_cross_entropy_with_logits(logits, truth)
        return what, where / max(1, len(sampled))


class BoxHeads(RoIHeads):  # type: ignore[misc]
    """The second stage, its boxes learnt by the absolute error; with or without masks."""

    def forward(
        self,
        features: dict[str, Tensor],
        proposals: list[Tensor],
        image_shapes: list[tuple[int, int]],
        targets: list[dict[str, Tensor]] | None = None,
    ) -> tuple[list[dict[str, Tensor]], dict[str, Tensor]]:
        """Detections in evaluation, losses in training; the other one is empty.

        Args:
            features: maps by level.
            proposals: of each picture, (N, 4).
            image_shapes: height and width of each picture.
            targets: boxes and labels, masks where they are learnt; needed in training.
        """
        if self.training:
            assert targets is not None
            return [], self._losses(features, proposals, image_shapes, targets)
        logits, deltas = self._boxes(features, proposals, image_shapes)
        found = self.postprocess_detections(logits, deltas, proposals, image_shapes)
        names = ("boxes", "scores", "labels")
        results = [dict(zip(names, one, strict=True)) for one in zip(*found, strict=True)]
        if self.has_mask():
            self._add_masks(results, features, image_shapes)
        return results, {}

    def _boxes(
        self, features: dict[str, Tensor], boxes: list[Tensor], sizes: list[tuple[int, int]]
    ) -> tuple[Tensor, Tensor]:
        """Logits (N, K + 1) and deltas (N, 4 (K + 1)) of all boxes of all pictures."""
        pooled = self.box_roi_pool(features, boxes, sizes)
        logits, deltas = self.box_predictor(self.box_head(pooled))
        return logits, deltas

    def _masks(
        self, features: dict[str, Tensor], boxes: list[Tensor], sizes: list[tuple[int, int]]
    ) -> Tensor:
        """Logits (N, K + 1, M, M) of all boxes of all pictures."""
        pooled = self.mask_roi_pool(features, boxes, sizes)
        logits: Tensor = self.mask_predictor(self.mask_head(pooled))
        return logits

    def _losses(
        self,
        features: dict[str, Tensor],
        proposals: list[Tensor],
        sizes: list[tuple[int, int]],
        targets: list[dict[str, Tensor]],
    ) -> dict[str, Tensor]:
        """Losses () of a sample of boxes, and of the masks of those that hold something."""
        boxes, matched, labels, wanted = self.select_training_samples(proposals, targets)
        logits, deltas = self._boxes(features, boxes, sizes)
        losses = box_losses(logits, deltas, torch.cat(labels), torch.cat(wanted))
        if self.has_mask():
            rows = [found.nonzero().flatten() for found in labels]
            held = [b[row] for b, row in zip(boxes, rows, strict=True)]
            size = 2 * self.mask_roi_pool.size  # the predictor doubles it
            truth = [
                masks_in_boxes(target["masks"], whose[row], box, size)
                for target, whose, row, box in zip(targets, matched, rows, held, strict=True)
            ]
            kinds = torch.cat([found[row] for found, row in zip(labels, rows, strict=True)])
            losses["loss_mask"] = mask_loss(
                self._masks(features, held, sizes), kinds, torch.cat(truth)
            )
        return losses

    def _add_masks(
        self,
        results: list[dict[str, Tensor]],
        features: dict[str, Tensor],
        sizes: list[tuple[int, int]],
    ) -> None:
        """Give each picture's detections their `masks` (N, M, M), probabilities in their boxes."""
        logits = self._masks(features, [found["boxes"] for found in results], sizes)
        kinds = torch.cat([found["labels"] for found in results])
        masks = logits[torch.arange(len(kinds), device=kinds.device), kinds].sigmoid()
        parts = torch.split(masks, [len(found["boxes"]) for found in results])
        for found, part in zip(results, parts, strict=True):
            found["masks"] = part


def box_losses(logits: Tensor, deltas: Tensor, labels: Tensor, wanted: Tensor) -> dict[str, Tensor]:
    """Losses () of what and where, the mean over the sampled boxes.

    Args:
        logits: (N, K + 1), the background first.
        deltas: (N, 4 (K + 1)).
        labels: (N,) int64, 0 the background.
        wanted: (N, 4); the background's are not looked at.
    """
    rows = labels.nonzero().flatten()
    found = deltas.view(len(labels), -1, 4)[rows, labels[rows]]
    where = F.l1_loss(found, wanted[rows], reduction="sum") / max(1, len(labels))
    return {"loss_classifier": F.cross_entropy(logits, labels), "loss_box_reg": where}


def masks_in_boxes(masks: Tensor, whose: Tensor, boxes: Tensor, size: int) -> Tensor:
    """What a mask head should say of boxes: (N, size, size), 1 where half of a place is covered.

    Args:
        masks: (G, H, W) bool.
        whose: (N,) int64, which mask a box is about.
        boxes: (N, 4), in pixels of the masks.
        size: places along a box's side; aligned, as Detectron2 has it.
    """
    rois = torch.cat([whose[:, None].to(boxes.dtype), boxes], dim=1)
    pooled: Tensor = roi_align(masks[:, None].to(boxes.dtype), rois, size, aligned=True)
    return (pooled[:, 0] >= 0.5).to(boxes.dtype)


def mask_loss(logits: Tensor, labels: Tensor, wanted: Tensor) -> Tensor:
    """Binary cross entropy () of the right classes' masks, the mean over their places.

    Args:
        logits: (N, K + 1, M, M).
        labels: (N,) int64 from 1.
        wanted: (N, M, M), 0 or 1.
    """
    chosen = logits[torch.arange(len(labels), device=labels.device), labels]
    summed = F.binary_cross_entropy_with_logits(chosen, wanted.to(chosen.dtype), reduction="sum")
    return summed / max(1, wanted.numel())


class ChannelNorm(nn.Module):
    """LayerNorm over the channels of (B, C, H, W), float."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same."""
        normed: Tensor = self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return normed


class AlignedPool(nn.Module):
    """RoIAlign with the half-pixel shift, on the level that suits a box's size (k0 = 4 at 224)."""

    def __init__(self, size: int, strides: Sequence[int]) -> None:
        super().__init__()
        self.size, self.strides = size, tuple(strides)
        first = self.strides[0].bit_length() - 1
        self.level_of = LevelMapper(first, first + len(self.strides) - 1)

    def forward(
        self, maps: Mapping[str, Tensor], boxes: list[Tensor], _sizes: list[tuple[int, int]]
    ) -> Tensor:
        """Maps by level and boxes of each picture (N, 4) to (sum N, C, size, size), float."""
        levels = list(maps.values())[: len(self.strides)]
        numbers = [torch.full_like(found[:, :1], i) for i, found in enumerate(boxes)]
        rois = torch.cat([torch.cat(pair, 1) for pair in zip(numbers, boxes, strict=True)])
        chosen = self.level_of(boxes)
        out = levels[0].new_zeros(len(rois), levels[0].shape[1], self.size, self.size)
        for index, (level, stride) in enumerate(zip(levels, self.strides, strict=True)):
            rows = torch.where(chosen == index)[0]
            pooled = roi_align(
                level, rois[rows].to(level.dtype), self.size, 1 / stride, aligned=True
            )
            out = out.index_put((rows,), pooled.to(out.dtype))
        return out
