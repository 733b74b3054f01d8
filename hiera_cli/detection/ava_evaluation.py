"""How well a model tells people's actions at key frames: frame mAP by AVA's protocol."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from hiera_cli.checkpoints.open import LoadedModel
from hiera_cli.datasets.keyframes import KeyFrame, KeyFrameDataset
from hiera_cli.detection.action_scores import ActionScorer, View
from hiera_cli.detection.metrics import FrameBoxes, frame_map
from hiera_cli.detection.moments import Floats, Moment
from hiera_cli.errors import Failure, MediaError, UsageError
from hiera_cli.files import write_text
from hiera_cli.video.clips import ClipReader
from hiera_cli.video.info import Limits


@dataclass(frozen=True, eq=False, slots=True)
class ScoredFrame:
    """A key frame and the scores (N, K) of the actions in its candidate boxes."""

    frame: KeyFrame
    scores: Floats


@dataclass(frozen=True, slots=True)
class ActionScores:
    """The figures of a model on a data set.

    Attributes:
        mean_ap: frame mAP at IoU 0.5, in 0..1; None where there is no true box.
        per_class: average precision of each action; None without a true box.
        num_true: true boxes of each action.
        view: `center` crop or `whole` frame.
        boxes: `detections` or `ground truth`: whose boxes were scored.
        num_key_frames: that were scored.
        num_expected: key frames with boxes to score, excluded ones left out.
        num_failed: videos that could not be read; their true boxes are missed.
        num_missing: videos of the files that are not there.
        num_excluded: key frames left out.
        num_unlisted: true labels that the list of actions lacks (AVA's rare 20 classes).
        model: its name.
        dataset: the file of true boxes.
    """

    mean_ap: float | None
    per_class: dict[str, float | None]
    num_true: dict[str, int]
    view: View
    boxes: str
    num_key_frames: int
    num_expected: int
    num_failed: int
    num_missing: int
    num_excluded: int
    num_unlisted: int
    model: str
    dataset: str


def score_key_frames(
    loaded: LoadedModel, data: KeyFrameDataset, *, view: View, limits: Limits, isolate: bool
) -> Iterator[ScoredFrame | Failure]:
    """The model's scores at every key frame, a pass over each video; failures in their places.

    Raises:
        UsageError: the model knows other actions than the data set lists.
    """
    if loaded.labels != data.actions:
        raise UsageError(
            f"the model's actions are not those of {data.source.parent}",
            hint="evaluate a model that `hiera finetune --task detection` trained on them",
        )
    scorer = ActionScorer(loaded, view)
    with closing(ClipReader(isolate=isolate, limits=limits)) as reader:
        for _, group in groupby(_frames(data), key=lambda frame: frame.video):
            frames = list(group)
            moments = [Moment(float(f.timestamp), _corners(f)) for f in frames]
            try:
                scored = scorer.score(reader, frames[0].path, moments)
                for frame, scores in zip(frames, scored, strict=True):
                    yield ScoredFrame(frame, scores)
            except MediaError as error:
                yield Failure(frames[0].path, error.kind, error.message)


def summarise(
    data: KeyFrameDataset,
    scored: Sequence[ScoredFrame],
    *,
    view: View,
    num_failed: int,
    model: str,
) -> ActionScores:
    """The figures of what was scored."""
    truth = _true_boxes(data)
    result = frame_map(
        truth, _found_boxes(data, scored), classes=data.action_ids, excluded=data.excluded
    )
    name_of = dict(zip(data.action_ids, data.actions, strict=True))
    return ActionScores(
        mean_ap=result.mean_ap,
        per_class={name_of[k]: value for k, value in result.per_class.items()},
        num_true={name_of[k]: value for k, value in result.num_true.items()},
        view=view,
        boxes="detections" if data.has_detections else "ground truth",
        num_key_frames=len(scored),
        num_expected=len(_frames(data)),
        num_failed=num_failed,
        num_missing=data.num_missing,
        num_excluded=sum(frame.moment in data.excluded for frame in data.frames),
        num_unlisted=int((~np.isin(truth.labels, data.action_ids)).sum()),
        model=model,
        dataset=str(data.source),
    )


def write_action_scores(
    folder: Path, scores: ActionScores, data: KeyFrameDataset, scored: Sequence[ScoredFrame]
) -> None:
    """Write metrics.json and results.csv (AVA's format, boxes with 3 decimals, scores with 4).

    Raises:
        OutputError: the folder or a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "metrics.json", json.dumps(asdict(scores), indent=1) + "\n")
    rows = [
        f"{item.frame.video},{item.frame.timestamp:04d},"
        f"{','.join(f'{value:.3f}' for value in box.corners)},{action},{score:.4f}\n"
        for item in scored
        for box, row in zip(item.frame.candidates, item.scores, strict=True)
        for action, score in zip(data.action_ids, row.tolist(), strict=True)
    ]
    write_text(folder / "results.csv", "".join(rows))


def _frames(data: KeyFrameDataset) -> list[KeyFrame]:
    """Key frames with something to score."""
    return [f for f in data.frames if f.candidates and f.moment not in data.excluded]


def _corners(frame: KeyFrame) -> Floats:
    return np.array([box.corners for box in frame.candidates], dtype=np.float64)


def _true_boxes(data: KeyFrameDataset) -> FrameBoxes:
    rows = [(f, box, a) for f in data.frames for box in f.truth for a in box.actions]
    return FrameBoxes(
        [frame.moment for frame, _, _ in rows],
        np.array([box.corners for _, box, _ in rows], dtype=np.float64).reshape(-1, 4),
        np.array([action for _, _, action in rows], dtype=np.int64),
        np.ones(len(rows)),
    )


def _found_boxes(data: KeyFrameDataset, scored: Sequence[ScoredFrame]) -> FrameBoxes:
    """Every candidate box once for every action."""
    num = len(data.action_ids)
    moments = [s.frame.moment for s in scored for _ in range(s.scores.size)]
    corners = [np.repeat(_corners(s.frame), num, axis=0) for s in scored]
    labels = [np.tile(np.array(data.action_ids), len(s.scores)) for s in scored]
    return FrameBoxes(
        moments,
        np.concatenate([np.zeros((0, 4)), *corners]),
        np.concatenate([np.zeros(0, np.int64), *labels]),
        np.concatenate([np.zeros(0), *(s.scores.ravel() for s in scored)]),
    )
