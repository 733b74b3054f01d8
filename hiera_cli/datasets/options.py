"""What `hiera dataset` can be told."""

from dataclasses import dataclass

from hiera_cli.options import DecodeOptions, check_at_least


@dataclass(frozen=True, kw_only=True)
class DatasetOptions(DecodeOptions):
    """How a data set is read for a look at it.

    Attributes:
        annotations: Kinetics CSV or list with the labels, where it is not found by itself.
        class_names: a file with the names of a list's numbered classes; None: searched for.
        labels_from: the number of a list's first class.
        multi_label: whether the videos of a list may have several classes, separated by `;`.
        group: the column of a list, or a regular expression over the names, that says which
            files belong together.
        count: decode everything, which finds damage in the middle; else the first frame.
        seed: of the suggested split.
    """

    annotations: str | None = None
    class_names: str | None = None
    labels_from: int = 0
    multi_label: bool = False
    group: str | None = None
    count: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse values that cannot mean anything.

        Raises:
            UsageError: a value that is no choice or out of range.
        """
        super().__post_init__()
        check_at_least(0, seed=self.seed)
