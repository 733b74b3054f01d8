"""Which head is fitted: plain values, no torch."""

from dataclasses import dataclass
from typing import Literal

from hiera_cli.errors import UsageError
from hiera_cli.options import check_at_least, check_choices

HeadName = Literal["linear", "knn"]
ClassWeights = Literal["auto", "balanced", "none"]
IMBALANCE = 3.0


@dataclass(frozen=True, kw_only=True)
class HeadOptions:
    """Which head is fitted, and how.

    Attributes:
        head: `linear`: logistic regression; `knn`: the nearest clips vote.
        multi_label: a video may have several classes; each is scored by itself.
        class_weights: `balanced` lets every class count the same; `auto`: where the largest class
            has more than three times the smallest.
        strength: C of the logistic regression; None: chosen by cross-validation.
        seed: of the splits.
    """

    head: HeadName = "linear"
    multi_label: bool = False
    class_weights: ClassWeights = "auto"
    strength: float | None = None
    seed: int = 0

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


def is_balanced(class_weights: ClassWeights, counts: tuple[int, ...]) -> bool:
    """Whether every class is to count the same.

    Args:
        class_weights: as asked for.
        counts: videos of each class.
    """
    if class_weights != "auto":
        return class_weights == "balanced"
    return max(counts) > IMBALANCE * min(counts)
