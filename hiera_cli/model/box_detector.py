"""A two-stage detector on a Hiera pyramid, put together from torchvision's parts.

The parts are those of ViTDet's Mask R-CNN (arXiv 2203.16527), which the Hiera paper follows:
two hidden convolutions in the proposal network, four and a linear layer in the box head, four in
the mask head, with LayerNorm there. Without the mask head it is a Faster R-CNN. torchvision's own
assembly cannot tell its pooling to align; ours does.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn
from torchvision.models.detection.faster_rcnn import FastRCNNConvFCHead, FastRCNNPredictor
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from hiera_cli.errors import WeightsError
from hiera_cli.model.detector_parts import (
    AlignedPool,
    BoxHeads,
    ChannelNorm,
    ExactAnchors,
    Proposals,
)
from hiera_cli.model.hiera import Encoder
from hiera_cli.model.pyramid import FeaturePyramid, Windows

Target = Mapping[str, Tensor]
"""boxes (N, 4) in pixels of the input, labels (N,) int64 from 1: 0 is the background; and where
masks are learnt masks (N, H, W) bool of the picture without its padding."""

BOX_PIXELS, MASK_PIXELS = 7, 14
RATIOS = (0.5, 1.0, 2.0)


@dataclass(frozen=True, slots=True)
class BoxDetectorConfig:
    """The shape of the detector above its encoder.

    Attributes:
        num_classes: without the background.
        channels: of the pyramid and the heads.
        head_convs: hidden convolutions of the box head, and of the mask head.
        rpn_convs: hidden convolutions of the proposal network.
        anchor_scale: side of the square anchor, in strides of its map.
        proposals: boxes that the second stage looks at.
        detections: boxes of a picture at most.
        score_threshold: below it a detection is dropped.
        masks: whether it tells which pixels of a box belong to the thing.
    """

    num_classes: int
    channels: int = 256
    head_convs: int = 4
    rpn_convs: int = 2
    anchor_scale: float = 8.0
    proposals: int = 1000
    detections: int = 100
    score_threshold: float = 0.05
    masks: bool = False

    def __post_init__(self) -> None:
        """Refuse what makes no detector.

        Raises:
            WeightsError: a value out of range.
        """
        limits = {
            "num_classes": (1, 100_000),
            "channels": (8, 4096),
            "head_convs": (0, 16),
            "rpn_convs": (1, 16),
            "anchor_scale": (0.5, 64),
            "proposals": (1, 10_000),
            "detections": (1, 10_000),
            "score_threshold": (0, 1),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            whole = name not in ("anchor_scale", "score_threshold")
            if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
                raise WeightsError(f"detector: {name} is {value!r}, not a number")
            if not low <= value <= high:
                raise WeightsError(f"detector: {name} is {value}, not in {low}..{high}")
        if not isinstance(self.masks, bool):
            raise WeightsError(f"detector: masks is {self.masks!r}, not true or false")


class BoxDetector(nn.Module):
    """Where things are in a picture, and what.

    Args:
        encoder: of an image network, built for the square input that the detector takes.
        config: the shape of the rest.
        windows: where the encoder's later stages look; None: everywhere.

    Attributes:
        size: side of the square input in pixels.
    """

    def __init__(
        self, encoder: Encoder, config: BoxDetectorConfig, *, windows: Windows | None = None
    ) -> None:
        super().__init__()
        self.config = config
        self.size = encoder.config.input_size[-1]
        self.pyramid = FeaturePyramid(encoder, windows=windows)
        self.norms = nn.ModuleList(ChannelNorm(dim) for dim in self.pyramid.channels)
        self.fpn = FeaturePyramidNetwork(
            list(self.pyramid.channels), config.channels, LastLevelMaxPool()
        )
        self.rpn = _proposal_network(config, self.pyramid.strides)
        self.heads = _box_heads(config, self.pyramid.strides)

    def forward(
        self,
        pictures: Tensor,
        sizes: Sequence[tuple[int, int]],
        targets: Sequence[Target] | None = None,
    ) -> tuple[list[dict[str, Tensor]], dict[str, Tensor]]:
        """Detections in evaluation, losses in training.

        Args:
            pictures: (B, 3, size, size), normalised float, padded below and on the right.
            sizes: height and width of each picture without the padding.
            targets: what there is to find; needed in training.

        Returns:
            For each picture `boxes` (N, 4) in pixels of the input, `labels` (N,) from 1, `scores`
            (N,), best first, and of a network with masks `masks` (N, M, M), probabilities in the
            boxes; and the losses by name. One of both is empty.
        """
        images = ImageList(pictures, list(sizes))
        levels = [n(m) for n, m in zip(self.norms, self.pyramid(pictures), strict=True)]
        maps = self.fpn(OrderedDict((str(i), level) for i, level in enumerate(levels)))
        wanted = None if targets is None else [dict(target) for target in targets]
        proposals, rpn_losses = self.rpn(images, maps, wanted)
        found, losses = self.heads(maps, proposals, images.image_sizes, wanted)
        return found, {**rpn_losses, **losses}


def _proposal_network(config: BoxDetectorConfig, strides: Sequence[int]) -> Proposals:
    """ViTDet's numbers: the matcher's 0.3 and 0.7, 256 anchors a picture."""
    levels = (*strides, 2 * strides[-1])
    sides = tuple((config.anchor_scale * stride,) for stride in levels)
    anchors = ExactAnchors(sides, (RATIOS,) * len(sides))
    head = RPNHead(config.channels, len(RATIOS), conv_depth=config.rpn_convs)
    num = config.proposals
    return Proposals(
        anchors,
        head,
        fg_iou_thresh=0.7,
        bg_iou_thresh=0.3,
        batch_size_per_image=256,
        positive_fraction=0.5,
        pre_nms_top_n={"training": 2 * num, "testing": num},
        post_nms_top_n={"training": num, "testing": num},
        nms_thresh=0.7,
    )


def _box_heads(config: BoxDetectorConfig, strides: Sequence[int]) -> BoxHeads:
    """Four convolutions with LayerNorm and a linear layer; 512 boxes a picture, a quarter good."""
    width = 4 * config.channels
    hidden = [config.channels] * config.head_convs
    masks = {}
    if config.masks:
        masks = {
            "mask_roi_pool": AlignedPool(MASK_PIXELS, strides),
            "mask_head": MaskRCNNHeads(config.channels, hidden, 1, norm_layer=ChannelNorm),
            "mask_predictor": MaskRCNNPredictor(
                config.channels, config.channels, config.num_classes + 1
            ),
        }
    head = FastRCNNConvFCHead(
        (config.channels, BOX_PIXELS, BOX_PIXELS),
        hidden,
        [width],
        norm_layer=ChannelNorm,
    )
    return BoxHeads(
        AlignedPool(BOX_PIXELS, strides),
        head,
        FastRCNNPredictor(width, config.num_classes + 1),
        fg_iou_thresh=0.5,
        bg_iou_thresh=0.5,
        batch_size_per_image=min(512, config.proposals),
        positive_fraction=0.25,
        bbox_reg_weights=(10.0, 10.0, 5.0, 5.0),
        score_thresh=config.score_threshold,
        nms_thresh=0.5,
        detections_per_img=config.detections,
        **masks,
    )
