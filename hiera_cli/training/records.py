"""What a training run reports, and the metrics.jsonl that keeps it."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hiera_cli.errors import Failure


@dataclass(frozen=True, slots=True)
class Started:
    """A run begins, or continues.

    Attributes:
        num_videos: files to learn from.
        num_steps: optimizer steps of the whole run.
        steps_per_epoch: optimizer steps of an effective epoch.
        first_step: steps already done by an earlier start of this run.
        num_parameters: of the model; trained ones only.
        device: what trains.
        unit: what the files are called.
    """

    num_videos: int
    num_steps: int
    steps_per_epoch: int
    first_step: int
    num_parameters: int
    device: str
    unit: str = "videos"


@dataclass(frozen=True, slots=True)
class Step:
    """One optimizer step.

    Attributes:
        step: steps done, this one included.
        epoch: effective epochs done, with fraction.
        loss: mean over the clips of the step; None when none could be read.
        lr: learning rate of the step.
        grad_norm: norm of the gradient before clipping; None when it overflowed (float16).
        num_clips: clips that were learnt from.
        num_failed: files that could not be read, in the run so far.
        seconds: wall time since the step before.
        visible_tokens_per_second: tokens that the encoder worked on; 0 when not pretraining.
    """

    step: int
    epoch: float
    loss: float | None
    lr: float
    grad_norm: float | None
    num_clips: int
    num_failed: int = 0
    seconds: float = 0.0
    visible_tokens_per_second: float = 0.0


@dataclass(frozen=True, slots=True)
class Validation:
    """How the model does on videos it does not learn from.

    Attributes:
        loss: mean cross entropy.
        top1, top5: share of right answers, over the videos that could be read.
        num_videos, num_failed: how many could, and could not, be read.
    """

    loss: float
    top1: float
    top5: float
    num_videos: int
    num_failed: int

    @property
    def score(self) -> tuple[float, float]:
        """What is better is larger: the accuracy, then the loss."""
        return (self.top1, -self.loss)


@dataclass(frozen=True, slots=True)
class DetectionValidation:
    """How a detector does on held-out pictures or key frames.

    Attributes:
        mean_ap: COCO's AP of boxes, or AVA's frame mAP of actions; 0 where nothing is to be found.
        ap50: the mean over the classes at IoU 0.5.
        num_samples, num_failed: pictures or key frames that could, and could not, be read.
    """

    mean_ap: float
    ap50: float
    num_samples: int
    num_failed: int

    @property
    def score(self) -> tuple[float, float]:
        """What is better is larger."""
        return (self.mean_ap, self.ap50)


@dataclass(frozen=True, slots=True)
class TrivialLosses:
    """Losses of answers that need no learning, on the same patches as the network's.

    Attributes:
        mean: of every hidden patch's mean; 1, but for patches of one colour.
        copy: of the nearest visible patch, both normalised; 2 - 2 r where r is how strongly
            neighbours are correlated.
        picture: of the mean of all patches at that place in the clips before; small where a camera
            stands still. It begins anew with a run that goes on.
    """

    mean: float
    copy: float
    picture: float


@dataclass(frozen=True, slots=True)
class Epoch:
    """The end of an effective epoch.

    Attributes:
        epoch: epochs done.
        step: steps done.
        train_loss: mean over the epoch's clips.
        validation: None without validation data.
        is_best: whether these weights became the run's result.
        seconds: wall time of the epoch, validation included.
        trivial: what trivial answers lost on the epoch's clips; None when not pretraining.
    """

    epoch: int
    step: int
    train_loss: float
    validation: Validation | DetectionValidation | None
    is_best: bool
    seconds: float
    trivial: TrivialLosses | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that cannot be read, reported once; nothing takes its place."""

    failure: Failure


Record = Started | Step | Epoch | Skipped


class MetricsLog:
    """metrics.jsonl: one line for each step, epoch and skipped file, flushed as it comes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, record: Record) -> None:
        """Add one record."""
        line = {"event": type(record).__name__.lower(), **asdict(record)}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def forget_after(self, step: int) -> None:
        """Drop what an interrupted start wrote after its last checkpoint."""
        kept = [line for line in self.read() if line.get("step", 0) <= step]
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
        temporary.replace(self._path)

    def read(self) -> Iterator[dict[str, Any]]:
        """The lines as dictionaries; a half-written last one is left out."""
        if not self._path.exists():
            return
        for line in self._path.read_text(encoding="utf-8").splitlines():
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                return

    def failed_paths(self) -> set[str]:
        """Files that were reported as unreadable."""
        return {line["failure"]["path"] for line in self.read() if line["event"] == "skipped"}
