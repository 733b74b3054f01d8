"""The result of a fit, and its form as JSON."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hiera_cli.heads.choose import Choice
from hiera_cli.tasks.evaluation.summary import Summary
from hiera_cli.tasks.fit.findings import Findings


@dataclass(frozen=True, eq=False, slots=True)
class Fitted:
    """A head that was fitted, written, and judged.

    Attributes:
        folder: the model folder.
        backbone: name of the network whose features were used.
        head_stages: its earlier stages that the head sees beside the last one.
        classes: in the order of the head.
        counts: videos of each class that were fitted to.
        num_videos: these, together.
        num_failed: files that could not be read.
        num_missing: listed files that are not there.
        choice: what was fitted, and how it was chosen.
        findings: of cross-validation.
        val: of videos that nothing was fitted to; None where there are none.
    """

    folder: Path
    backbone: str
    head_stages: tuple[int, ...]
    classes: tuple[str, ...]
    counts: tuple[int, ...]
    num_videos: int
    num_failed: int
    num_missing: int
    choice: Choice
    findings: Findings
    val: Summary | None


def as_json(fitted: Fitted) -> dict[str, Any]:
    """The keys that scripts read."""
    found, choice = fitted.findings, fitted.choice
    return {
        "model": str(fitted.folder),
        "backbone": fitted.backbone,
        "head_stages": list(fitted.head_stages),
        "classes": list(fitted.classes),
        "class_counts": dict(zip(fitted.classes, fitted.counts, strict=True)),
        "num_videos": fitted.num_videos,
        "num_failed": fitted.num_failed,
        "num_missing": fitted.num_missing,
        "head": str(choice.setting),
        "training": choice.setting.training,
        "class_weights": "balanced" if choice.balanced else "none",
        "num_folds": choice.num_folds,
        "cv_top1": found.top1,
        "cv_balanced_accuracy": found.balanced_accuracy,
        "cv_macro_f1": found.macro_f1,
        "cv_interval_95": list(found.top1_interval_95),
        "cv_balanced_accuracy_interval_95": list(found.balanced_accuracy_interval_95),
        "cv_macro_f1_interval_95": list(found.macro_f1_interval_95),
        "majority": found.majority,
        "confusion": [list(row) for row in found.confusion],
        "doubtful": [asdict(doubt) for doubt in found.doubtful],
        "val": None if fitted.val is None else asdict(fitted.val),
    }
