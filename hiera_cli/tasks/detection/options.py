"""What following things through videos can be told; plain values, no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hiera_cli.errors import UsageError
from hiera_cli.options import check_at_least, check_choices

BoxTimes = Literal["seconds", "frames"]

SMOOTH_SECONDS = 0.07  # what suits a detector's boxes


@dataclass(frozen=True, slots=True)
class LinkOptions:
    """How boxes are linked.

    Attributes:
        min_iou: least overlap of a box with where its track was last, or is expected by its motion.
        max_gap: seconds that a track may be out of sight.
        min_boxes: tracks with fewer are dropped.
        min_score: of a box that begins a track.
        low_score: of a box that continues a track for which there is no better one.
        smooth: seconds, the standard deviation of the mean over time that a track's boxes become.
        duplicates: whether one thing may have two boxes at an instant, as from a detector.
    """

    min_iou: float = 0.3
    max_gap: float = 1.0
    min_boxes: int = 1
    min_score: float = 0.5
    low_score: float = 0.1
    smooth: float = 0.0
    duplicates: bool = True

    def __post_init__(self) -> None:
        """Refuse values that cannot mean anything.

        Raises:
            UsageError: a value out of range.
        """
        check_at_least(0, min_iou=self.min_iou, max_gap=self.max_gap)
        check_at_least(0, min_score=self.min_score, low_score=self.low_score, smooth=self.smooth)
        check_at_least(1, min_boxes=self.min_boxes)


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectOptions:
    """Where boxes come from, and what becomes of them.

    Attributes:
        boxes: CSV file of AVA's shape with the boxes; None: a detector finds them.
        truth: CSV file of AVA's shape with everybody's boxes, numbered by person: says of how many
            a single track overlaps nine tenths of the boxes by half.
        box_times: whether their timestamps are seconds or frame numbers.
        detector: folder of an object detector that `hiera finetune --task boxes` wrote, or
            `torchvision:NAME`, one of torchvision's that were trained on COCO.
        classes: those of the detector's that are followed, as `person,car`; None: all.
        offline: never use the network.
        cache_dir: where weights are kept.
        rate: frames a second that the detector looks at, or all if the video has fewer.
        min_score: of a box that begins a track.
        low_score: of a box that continues a track for which there is no better one.
        smooth: seconds over which a track's boxes are averaged (standard deviation); 0: not at all;
            None: a little where a detector finds them, given ones not.
        action_hop: seconds between the instants at which actions are told.
        action_score: least score of an action that is reported.
        view: what the action model sees: the center crop or the whole frame.
        min_iou, max_gap, min_boxes: as in `LinkOptions`.
    """

    boxes: Path | None = None
    truth: Path | None = None
    box_times: BoxTimes = "seconds"
    detector: str | None = None
    classes: str | None = None
    offline: bool = False
    cache_dir: str | None = None
    rate: float = 15.0
    min_score: float = 0.5
    low_score: float = 0.1
    smooth: float | None = None
    action_hop: float = 1.0
    action_score: float = 0.5
    view: Literal["center", "whole"] = "whole"
    min_iou: float = 0.3
    max_gap: float = 1.0
    min_boxes: int = 1

    def __post_init__(self) -> None:
        """Refuse values that cannot mean anything.

        Raises:
            UsageError: a value out of range, or no source of boxes or two.
        """
        check_choices(self)
        check_at_least(0.01, rate=self.rate, action_hop=self.action_hop)
        check_at_least(0, action_score=self.action_score)
        if self.rate > 100:
            raise UsageError(f"--rate must be at most 100, not {self.rate}")
        if (self.boxes is None) == (self.detector is None):
            raise UsageError(
                "boxes come from --boxes FILE or from --detector MODEL",
                hint="train a detector: hiera finetune DATASET --task boxes, or name one: "
                "--detector torchvision:fasterrcnn_resnet50_fpn_v2",
            )
        if self.classes is not None and self.detector is None:
            raise UsageError("--classes chooses among a detector's: it has no meaning with --boxes")
        _ = self.linking

    @property
    def linking(self) -> LinkOptions:
        """How boxes are linked."""
        found = self.detector is not None
        return LinkOptions(
            min_iou=self.min_iou,
            max_gap=self.max_gap,
            min_boxes=self.min_boxes,
            min_score=self.min_score,
            low_score=self.low_score,
            smooth=(SMOOTH_SECONDS if found else 0.0) if self.smooth is None else self.smooth,
            duplicates=found,
        )
