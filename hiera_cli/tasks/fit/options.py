"""What `hiera fit` can be told; plain values, no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hiera_cli.errors import UsageError
from hiera_cli.options import OnExisting, check_at_least, check_choices

HeadName = Literal["linear", "knn"]
ClassWeights = Literal["auto", "balanced", "none"]


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """Which head is fitted to what.

    Attributes:
        out: the model folder; features are kept beside it.
        annotations: the file that labels the data set, where it is not found by itself.
        val: labelled videos to judge the model on; None: the `val` split of the data set, if any.
        features: a table of features that exists already, instead of videos.
        head: `linear`: logistic regression; `knn`: the nearest clips vote.
        multi_label: a video may have several classes, separated by `;`; each is scored by itself.
        class_names: names for a data set whose labels are numbers.
        group: a column of the label file, or a regular expression on the path (its first group,
            else the whole match): videos that share it are never on both sides of a split.
        class_weights: `balanced` lets every class count the same; `auto`: where the largest class
            has more than three times the smallest.
        strength: C of the logistic regression; None: chosen by cross-validation.
        seed: of the splits.
        on_existing: what to do with features that are there: `resume`, `overwrite` or `error`.
    """

    out: Path | None = None
    annotations: str | None = None
    val: str | None = None
    features: Path | None = None
    head: HeadName = "linear"
    multi_label: bool = False
    class_names: Path | None = None
    group: str | None = None
    class_weights: ClassWeights = "auto"
    strength: float | None = None
    seed: int = 0
    on_existing: OnExisting = "resume"

    def __post_init__(self) -> None:
        """Refuse values that cannot mean anything.

        Raises:
            UsageError: a value that is no choice or out of range.
        """
        check_choices(self)
        check_at_least(0, seed=self.seed)
        check_at_least(1e-6, strength=self.strength)
        if self.multi_label and self.head == "knn":
            raise UsageError("--multi-label is for the linear head", hint="leave out --head knn")
        if self.strength is not None and self.head == "knn":
            raise UsageError("--strength is for the linear head", hint="leave out --head knn")
