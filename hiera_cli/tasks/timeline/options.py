"""How window scores become segments: plain values with their defaults."""

from dataclasses import dataclass

from hiera_cli.errors import UsageError
from hiera_cli.options import check_at_least

HOPS_A_WINDOW = 4
MULTI_LABEL_THRESHOLD = 0.5


@dataclass(frozen=True, kw_only=True)
class TimelineOptions:
    """How window scores become segments.

    Attributes:
        threshold: a time at which no class scores more has no label; 0: every time has one. Of a
            multi-label model the score at which a class counts as there; None for 0, or for 0.5
            of a multi-label model.
        smooth: seconds; a label that lasts so long is kept if it is nine times as probable as the
            one around it (Viterbi: a change costs log 3 for each window in that time); 0: none.
        labels_only: class names separated by commas; segments of others are left out.
    """

    threshold: float | None = None
    smooth: float = 2.0
    labels_only: str | None = None

    def __post_init__(self) -> None:
        """Refuse values that cannot mean anything.

        Raises:
            UsageError: a value out of range.
        """
        check_at_least(0, smooth=self.smooth, threshold=self.threshold)
        if self.threshold is not None and self.threshold >= 1:
            raise UsageError(f"--threshold must be below 1, not {self.threshold}")

    def chosen_labels(self, labels: tuple[str, ...]) -> frozenset[str]:
        """The labels that segments may have.

        Raises:
            UsageError: a name that the model has no class of.
        """
        if self.labels_only is None:
            return frozenset(labels)
        by_name = {_plain(label): label for label in labels}
        wanted = [name for name in self.labels_only.split(",") if name.strip()]
        unknown = [name.strip() for name in wanted if _plain(name) not in by_name]
        if unknown or not wanted:
            raise UsageError(
                f"the model has no class '{', '.join(unknown)}'",
                hint="its classes are listed by hiera models show",
            )
        return frozenset(by_name[_plain(name)] for name in wanted)


def _plain(label: str) -> str:
    return label.strip().lower().replace("_", " ")
