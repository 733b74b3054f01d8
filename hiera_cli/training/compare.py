"""Several runs of one experiment: what each learnt, and means over those that differ by seed."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from hiera_cli.errors import UsageError
from hiera_cli.training.checkpoint import RunFolder
from hiera_cli.training.records import MetricsLog

# Quantiles 0.975 of Student's t distribution with 1 to 10 degrees of freedom.
STUDENT_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
NORMAL = 1.960


@dataclass(frozen=True, slots=True)
class RunHistory:
    """What a training run left behind.

    Attributes:
        path: its folder.
        num_videos: files that it learnt from.
        validation: step and top-1 in 0..1 of each validation.
        test_top1: of the evaluation in a folder of the run's (`hiera eval … --out RUN/test`); the
            mean of several; None without one.
    """

    path: str
    num_videos: int
    validation: tuple[tuple[int, float], ...]
    test_top1: float | None

    @property
    def best(self) -> float | None:
        """The highest validated top-1, which the run's model has; None without validation."""
        return max((top1 for _, top1 in self.validation), default=None)


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over runs.

    Attributes:
        value: mean of the shares, in 0..1.
        half_width: of the 95 % interval by Student's t; None for a single run.
    """

    value: float
    half_width: float | None


@dataclass(frozen=True, slots=True)
class RunGroup:
    """Runs that differ by nothing but their seed.

    Attributes:
        group: the folder that was named.
        num_videos: files that each learnt from.
        runs: in order of their paths.
    """

    group: str
    num_videos: int
    runs: tuple[RunHistory, ...]

    def summary(self) -> "GroupSummary":
        """The group in one line."""
        validation, test = self.validation, self.test
        return GroupSummary(
            group=self.group,
            num_videos=self.num_videos,
            num_runs=len(self.runs),
            val_top1=validation.value if validation else None,
            val_plus_minus=validation.half_width if validation else None,
            test_top1=test.value if test else None,
            test_plus_minus=test.half_width if test else None,
        )

    @property
    def validation(self) -> Mean | None:
        """Of the best validations."""
        return _mean([run.best for run in self.runs])

    @property
    def test(self) -> Mean | None:
        """Of the evaluations; None unless every run has one."""
        return _mean([run.test_top1 for run in self.runs])


@dataclass(frozen=True, slots=True)
class GroupSummary:
    """What a group of runs reached; shares in 0..1, None where nothing was measured.

    Attributes:
        group, num_videos, num_runs: the folder, files that each run learnt from, runs.
        val_top1, test_top1: means over the runs.
        val_plus_minus, test_plus_minus: half widths of their 95 % intervals.
    """

    group: str
    num_videos: int
    num_runs: int
    val_top1: float | None
    val_plus_minus: float | None
    test_top1: float | None
    test_plus_minus: float | None


def read_groups(folders: Sequence[Path]) -> tuple[RunGroup, ...]:
    """The runs below each folder, those with equally many videos together.

    Raises:
        UsageError: a folder without a run, or with an evaluation that cannot be read.
    """
    return tuple(group for folder in folders for group in _groups_in(folder))


def _groups_in(folder: Path) -> Iterator[RunGroup]:
    by_size: dict[int, list[RunHistory]] = {}
    for metrics in sorted(folder.rglob(RunFolder(folder).metrics_path.name)):
        run = read_history(metrics.parent)
        by_size.setdefault(run.num_videos, []).append(run)
    if not by_size:
        hint = "name folders that hold runs of `hiera finetune` or `hiera pretrain`"
        raise UsageError(f"{folder} holds no run", hint=hint)
    for num_videos, runs in sorted(by_size.items()):
        yield RunGroup(str(folder), num_videos, tuple(runs))


def read_history(folder: Path) -> RunHistory:
    """What one run left behind.

    0 videos where an older version did not write them down; no validation of a detector.
    """
    lines = list(MetricsLog(RunFolder(folder).metrics_path).read())
    starts = [line["num_videos"] for line in lines if line["event"] == "started"]
    epochs = [line for line in lines if "top1" in (line.get("validation") or ())]
    tests = [_top1_of(path) for path in sorted(folder.glob("*/metrics.json"))]
    return RunHistory(
        str(folder),
        starts[0] if starts else 0,
        tuple((line["step"], line["validation"]["top1"]) for line in epochs),
        fmean(tests) if tests else None,
    )


def _top1_of(metrics: Path) -> float:
    try:
        return float(json.loads(metrics.read_text(encoding="utf-8"))["top1"])
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{metrics} is not what `hiera eval` writes") from error


def _mean(values: Sequence[float | None]) -> Mean | None:
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    if len(known) == 1:
        return Mean(known[0], None)
    freedom = len(known) - 1
    quantile = STUDENT_T[freedom - 1] if freedom <= len(STUDENT_T) else NORMAL
    return Mean(fmean(known), quantile * stdev(known) / math.sqrt(len(known)))
