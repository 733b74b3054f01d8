"""What an evaluation can be told besides how to read and compute."""

from dataclasses import dataclass
from pathlib import Path

from hiera_cli.options import OnExisting, check_at_least, check_choices


@dataclass(frozen=True, kw_only=True)
class EvaluationOptions:
    """Which part of a data set is evaluated, and where the results go.

    Attributes:
        annotations: Kinetics CSV or list with the labels, where it is not found by itself.
        split: `train`, `val` or `test`; None for `val` where there are several.
        class_names: a file with the names of a list's numbered classes; None: searched for.
        labels_from: the number of a list's first class.
        out: folder for the results; None for `eval-MODEL-DATASET`.
        limit: a random sample of so many videos: a quick look, not a result.
        seed: of that sample.
        rescore: metrics anew from this predictions.parquet, without the model.
        compare: another predictions.parquet, or its folder, to compare this one with; nothing is
            run then.
        on_existing: `resume`, `overwrite` or `error`.
    """

    annotations: str | None = None
    split: str | None = None
    class_names: str | None = None
    labels_from: int = 0
    out: Path | None = None
    limit: int | None = None
    seed: int = 0
    rescore: Path | None = None
    compare: Path | None = None
    on_existing: OnExisting = "resume"

    def __post_init__(self) -> None:
        """Refuse values that cannot mean anything.

        Raises:
            UsageError: a value that is no choice or out of range.
        """
        check_choices(self)
        check_at_least(1, limit=self.limit)
        check_at_least(0, seed=self.seed)
