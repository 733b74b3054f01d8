"""What extracting features can be told: what to take from the network, and how to write it."""

from dataclasses import dataclass

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


@dataclass(frozen=True)
class FeatureOptions:
    """Which features are taken, and how a row is named.

    Attributes:
        layer: `stage1` to `stage4`, or `final`: pooled and normalised, what the head sees.
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
        if self.fps is not None and not 0.001 <= self.fps <= 1000:
            raise UsageError(f"--fps must be between 0.001 and 1000, not {self.fps}")


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
