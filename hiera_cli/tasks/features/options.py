"""What extracting features can be told: what to take from the network, and how to write it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hiera_cli.errors import UsageError
from hiera_cli.options import (
    ArrayLayout,
    FeatureDtype,
    Layer,
    OnExisting,
    Pool,
    check_at_least,
    check_choices,
)
from hiera_cli.tasks.detection.options import BoxTimes

Per = Literal["box", "track"]


@dataclass(frozen=True)
class FeatureOptions:
    """Which features are taken, and how a row is named.

    Attributes:
        layer: `stage1` to `stage4`, `final`: pooled and normalised, what the head sees, or
            `stages`: the means of stages 2 and 3 beside that, what `fit` chooses from.
        pool: `mean`, `max` or `none` (all tokens, in T, H, W order).
        feature_dtype: `float32` or `float16`.
        scores: class probabilities as well.
        fps: frames a second that an image model looks at; None for one.
        absolute_paths: name videos by absolute path, not relative to the folder given.
        export: arrays beside the table, a file a video: `npy`, `actionformer` (windows of
            consecutive frames, one every four, at 30 frames a second) or `video-features`.
    """

    layer: Layer = "final"
    pool: Pool = "mean"
    feature_dtype: FeatureDtype = "float32"
    scores: bool = False
    fps: float | None = None
    absolute_paths: bool = False
    export: ArrayLayout | None = None

    def __post_init__(self) -> None:
        """Refuse values that cannot mean anything.

        Raises:
            UsageError: a value that is no choice or out of range.
        """
        check_choices(self)
        if self.layer == "stages" and self.pool != "mean":
            raise UsageError("--layer stages goes with --pool mean: its maps differ in size")
        if self.fps is not None and not 0.001 <= self.fps <= 1000:
            raise UsageError(f"--fps must be between 0.001 and 1000, not {self.fps}")


@dataclass(frozen=True)
class BoxOptions:
    """Whether rows are for boxes instead of clips, and which.

    Attributes:
        boxes: AVA's CSV, or JSON lines that `hiera detect` wrote; None: rows are for clips.
        box_times: whether the CSV's timestamps are seconds or frame numbers.
        per: a row for each box, or one for each track, which is the mean over its boxes.
    """

    boxes: Path | None = None
    box_times: BoxTimes = "seconds"
    per: Per = "box"

    def __post_init__(self) -> None:
        """Refuse values that cannot mean anything.

        Raises:
            UsageError: a value that is no choice, or a flag that needs `boxes`.
        """
        check_choices(self)
        if self.boxes is None and (self.box_times != "seconds" or self.per != "box"):
            raise UsageError("--box-times and --per need --boxes FILE")


@dataclass(frozen=True)
class TableOptions:
    """How a table is written next to what is there already.

    Attributes:
        on_existing: `resume`, `overwrite` or `error`.
        retry_failed: try the videos again that failed in an earlier run.
        rows_per_shard: rows in each file when the output is a folder; None for 100,000.
        shard: `I/N`, the I-th of N shares of the videos, or `auto` (SLURM array, torchrun).
        devices: several devices that share the work, as `0,1`; None for `device`.
    """

    on_existing: OnExisting = "resume"
    retry_failed: bool = False
    rows_per_shard: int | None = None
    shard: str | None = None
    devices: str | None = None

    def __post_init__(self) -> None:
        """Refuse values that cannot mean anything.

        Raises:
            UsageError: a value that is no choice or out of range.
        """
        check_choices(self)
        check_at_least(1, rows_per_shard=self.rows_per_shard)
