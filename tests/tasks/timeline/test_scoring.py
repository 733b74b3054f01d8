"""Segments and frames against annotations, by hand."""

from pathlib import Path

import numpy as np
import pytest

from hiera_cli.errors import UsageError
from hiera_cli.synth.films import Take, intervals
from hiera_cli.tasks.timeline.interchange import to_activitynet
from hiera_cli.tasks.timeline.scoring import (
    Annotated,
    interpolated_precision,
    mean_ap,
    overlap,
    read_annotations,
    score_timelines,
)
from hiera_cli.tasks.timeline.segments import Segment
from hiera_cli.tasks.timeline.timeline import VideoTimeline


def test_overlap() -> None:
    assert overlap(Annotated(0, 2, "a"), Annotated(1, 3, "a")) == pytest.approx(1 / 3)
    assert overlap(Annotated(0, 1, "a"), Annotated(2, 3, "a")) == 0


def test_precision_is_interpolated() -> None:
    hits = np.array([True, False, True])
    assert interpolated_precision(hits, 2) == pytest.approx((1 + 2 / 3) / 2)
    assert interpolated_precision(hits[:0], 2) == 0


def test_an_annotation_counts_once() -> None:
    truth = {"v": (Annotated(0, 10, "a"),)}
    segments = [Segment("x/v.mp4", 0, 10, "A", 0.9), Segment("x/v.mp4", 0, 9, "a", 0.8)]
    assert mean_ap(segments, truth, 0.5) == 1
    assert mean_ap([segments[1]], truth, 0.95) == 0


def test_a_film(found: VideoTimeline, takes: list[Take], tmp_path: Path) -> None:
    path = tmp_path / "truth.csv"
    rows = (f"strung.mp4,{i.start_seconds},{i.end_seconds},{i.motion}\n" for i in intervals(takes))
    path.write_text("path,start_seconds,end_seconds,label\n" + "".join(rows))
    score = score_timelines([found], read_annotations(path))
    assert score.num_videos == 1
    assert score.frame_accuracy >= 0.9
    assert score.mean_ap["0.5"] >= 0.9
    assert (score.boundaries.num, score.boundaries.num_missed) == (9, 0)
    assert score.boundaries.within_0_6_seconds >= 8 / 9


def test_its_own_results_are_perfect(found: VideoTimeline, tmp_path: Path) -> None:
    path = tmp_path / "truth.json"
    path.write_text(to_activitynet([found]))
    score = score_timelines([found], read_annotations(path))
    assert (score.average_map, score.frame_accuracy) == (1, 1)


def test_annotations_that_cannot_be_read(tmp_path: Path) -> None:
    for name, text in (("a.csv", "x,y\n1,2\n"), ("a.json", "{}"), ("b.json", "[")):
        (tmp_path / name).write_text(text)
        with pytest.raises(UsageError):
            read_annotations(tmp_path / name)
