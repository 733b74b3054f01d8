"""How good timelines are: segments against annotated ones, and labels frame by frame.

The detection measure is that of ActivityNet: a segment is right if its label is and if it overlaps
an annotation that no surer segment has taken, by the intersection over union that is asked for;
average precision is interpolated, its mean is over the annotated classes.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hiera_cli.errors import UsageError
from hiera_cli.tasks.timeline.boundaries import BoundaryScore, score_boundaries
from hiera_cli.tasks.timeline.segments import Segment
from hiera_cli.tasks.timeline.timeline import VideoTimeline

THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7)
FRAME_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Annotated:
    """A time in a video and what happens then."""

    start_seconds: float
    end_seconds: float
    label: str


Annotations = Mapping[str, tuple[Annotated, ...]]
"""By the stem of the video's name."""


@dataclass(frozen=True, slots=True)
class TimelineScore:
    """How timelines agree with annotations.

    Attributes:
        num_videos: videos with annotations that were evaluated.
        num_missing: annotated videos that were not.
        num_failed: videos that could not be read.
        num_segments, num_annotated: segments found, and annotated ones.
        mean_ap: mean average precision by intersection over union.
        average_map: the mean of those.
        frame_accuracy: share of the annotated time with the right label.
        boundaries: how far changes of label lie from annotated ones.
    """

    num_videos: int
    num_missing: int
    num_failed: int
    num_segments: int
    num_annotated: int
    mean_ap: dict[str, float]
    average_map: float
    frame_accuracy: float
    boundaries: BoundaryScore


def read_annotations(path: Path) -> Annotations:
    """Annotated segments: ActivityNet JSON, or CSV `path,start_seconds,end_seconds,label`.

    Raises:
        UsageError: the file cannot be read as either.
    """
    try:
        text = path.read_text(encoding="utf-8")
        rows = _from_json(json.loads(text)) if path.suffix == ".json" else _from_csv(text)
        found: dict[str, list[Annotated]] = {}
        for name, start, end, label in rows:
            annotated = Annotated(float(start), float(end), str(label))
            if not annotated.start_seconds < annotated.end_seconds:
                raise ValueError(f"{name} has a segment from {start} to {end}")
            found.setdefault(Path(name).stem, []).append(annotated)
    except (OSError, ValueError, KeyError, TypeError) as error:
        hint = "give ActivityNet JSON, or CSV with path,start_seconds,end_seconds,label"
        raise UsageError(f"cannot read annotations from '{path}': {error}", hint=hint) from error
    if not found:
        raise UsageError(f"'{path}' annotates nothing")
    return {name: tuple(rows) for name, rows in found.items()}


def _from_json(whole: Any) -> list[tuple[str, Any, Any, Any]]:
    """Ground truth (`database`) or results (`results`)."""
    videos = whole.get("database") or whole["results"]
    rows = []
    for name, video in videos.items():
        for item in video["annotations"] if isinstance(video, dict) else video:
            rows.append((f"{name}.x", *item["segment"], item["label"]))  # a name has no suffix here
    return rows


def _from_csv(text: str) -> list[tuple[str, Any, Any, Any]]:
    names = ("path", "start_seconds", "end_seconds", "label")
    return [tuple(row[name] for name in names) for row in csv.DictReader(text.splitlines())]  # type: ignore[misc]


def score_timelines(
    videos: Sequence[VideoTimeline], annotations: Annotations, *, num_failed: int = 0
) -> TimelineScore:
    """Compare timelines with annotations; labels are compared without case and underscores."""
    known = [video for video in videos if Path(video.path).stem in annotations]
    truth = {Path(video.path).stem: annotations[Path(video.path).stem] for video in known}
    segments = [segment for video in known for segment in video.segments]
    aps = {f"{iou:.1f}": mean_ap(segments, truth, iou) for iou in THRESHOLDS}
    right = [_right_frames(video.segments, truth[Path(video.path).stem]) for video in known]
    num_right, num_frames = (
        (sum(column) for column in zip(*right, strict=True)) if right else (0, 0)
    )
    return TimelineScore(
        num_videos=len(known),
        num_missing=len(annotations) - len(known),
        num_failed=num_failed,
        num_segments=len(segments),
        num_annotated=sum(map(len, truth.values())),
        mean_ap=aps,
        average_map=float(np.mean(list(aps.values()))),
        frame_accuracy=num_right / num_frames if num_frames else 0.0,
        boundaries=score_boundaries(
            [(_changes(video.segments), _changes(truth[Path(video.path).stem])) for video in known]
        ),
    )


def mean_ap(segments: Sequence[Segment], truth: Annotations, iou: float) -> float:
    """Mean over the annotated classes of the average precision at an overlap."""
    labels = sorted({_plain(a.label) for rows in truth.values() for a in rows})
    values = [_average_precision(segments, truth, label, iou) for label in labels]
    return float(np.mean(values)) if values else 0.0


def _average_precision(
    segments: Sequence[Segment], truth: Annotations, label: str, iou: float
) -> float:
    wanted = {n: [a for a in rows if _plain(a.label) == label] for n, rows in truth.items()}
    taken = {name: np.zeros(len(rows), bool) for name, rows in wanted.items()}
    own = [segment for segment in segments if _plain(segment.label) == label]
    hits = []
    for segment in sorted(own, key=lambda s: -s.score):
        name = Path(segment.path).stem
        overlaps = np.array([overlap(segment, row) for row in wanted.get(name, [])])
        free = np.where(taken[name], -1, overlaps) if len(overlaps) else overlaps
        hit = bool(len(free) and free.max() >= iou)
        if hit:
            taken[name][int(free.argmax())] = True
        hits.append(hit)
    return interpolated_precision(np.array(hits, bool), sum(map(len, wanted.values())))


def interpolated_precision(hits: npt.NDArray[np.bool_], num_annotated: int) -> float:
    """Area under the precision-recall curve, precision made to fall, of hits by falling score."""
    if not len(hits) or not num_annotated:
        return 0.0
    right = np.cumsum(hits)
    precision = right / np.arange(1, len(hits) + 1)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    return float(falling[hits].sum() / num_annotated)


def overlap(one: Segment | Annotated, other: Segment | Annotated) -> float:
    """Intersection over union of two times."""
    start = max(one.start_seconds, other.start_seconds)
    shared = max(0.0, min(one.end_seconds, other.end_seconds) - start)
    lengths = one.end_seconds - one.start_seconds + other.end_seconds - other.start_seconds
    return shared / max(lengths - shared, 1e-12)


def _right_frames(segments: Sequence[Segment], truth: Sequence[Annotated]) -> tuple[int, int]:
    """How many of the annotated tenths of a second have one of their labels, and how many are."""
    end = max(row.end_seconds for row in truth)
    times = np.arange(FRAME_SECONDS / 2, end, FRAME_SECONDS)
    covered, right = np.zeros(len(times), bool), np.zeros(len(times), bool)
    for row in truth:
        inside = (times >= row.start_seconds) & (times < row.end_seconds)
        covered |= inside
        for segment in segments:
            if _plain(segment.label) == _plain(row.label):
                right |= inside & (times >= segment.start_seconds) & (times < segment.end_seconds)
    return int(right.sum()), int(covered.sum())


def _changes(rows: Sequence[Segment] | Sequence[Annotated]) -> npt.NDArray[np.float64]:
    """When one label gives way to another, without the first beginning and the last end."""
    ordered = sorted((row.start_seconds, row.end_seconds, _plain(row.label)) for row in rows)
    return np.array(
        [
            (end + start) / 2
            for (_, end, before), (start, _, after) in pairwise(ordered)
            if before != after
        ]
    )


def _plain(label: str) -> str:
    return label.strip().lower().replace("_", " ")
