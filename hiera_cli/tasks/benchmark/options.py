"""What a capacity plan can be told."""

from dataclasses import dataclass

from hiera_cli.errors import UsageError
from hiera_cli.options import check_at_least


@dataclass(frozen=True, kw_only=True)
class PlanOptions:
    """What is to be planned.

    Attributes:
        plan: say what a large extraction would take, instead of showing where time goes.
        videos: how many.
        seconds: the length of each; None for the mean of those that are measured.
        gpus: devices; 0 for cores alone.
        cores: cores of all machines; None for as many a GPU as this machine has, or all it has.
        rates: what `hiera benchmark -f json` wrote on a machine like those planned for.
        read_rate: views a second that one core reads, where that is known otherwise.
        model_rate: views a second that one device computes, where that is known otherwise.
    """

    plan: bool = False
    videos: int | None = None
    seconds: float | None = None
    gpus: int | None = None
    cores: int | None = None
    rates: str | None = None
    read_rate: float | None = None
    model_rate: float | None = None

    def __post_init__(self) -> None:
        """Refuse values that cannot mean anything.

        Raises:
            UsageError: a value out of range, or numbers of a plan without one.
        """
        check_at_least(1, videos=self.videos, cores=self.cores)
        check_at_least(0, gpus=self.gpus)
        check_at_least(0.01, seconds=self.seconds)
        check_at_least(1e-9, read_rate=self.read_rate, model_rate=self.model_rate)
        others = (self.videos, self.seconds, self.gpus, self.cores, self.rates, self.read_rate)
        if not self.plan and any(value is not None for value in (*others, self.model_rate)):
            raise UsageError("these numbers are for a plan", hint="add --plan")
        if self.plan and self.videos is None:
            raise UsageError("--plan needs a number of videos", hint="add --videos 650000")
