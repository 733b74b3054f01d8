"""Timelines of films whose camera movements are known, and of files that cannot be read."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from hiera_cli.errors import Failure, UsageError
from hiera_cli.synth.films import Take, intervals
from hiera_cli.tasks.timeline.options import TimelineOptions
from hiera_cli.tasks.timeline.timeline import VideoTimeline, timeline
from tests.media import write_blocks


def label_at(segments: list[tuple[float, float, str]], seconds: float) -> str | None:
    return next((label for start, end, label in segments if start <= seconds < end), None)


def test_boundaries_and_labels(found: VideoTimeline, takes: list[Take]) -> None:
    truth = [(i.start_seconds, i.end_seconds, i.motion) for i in intervals(takes)]
    ours = [(s.start_seconds, s.end_seconds, s.label) for s in found.segments]
    times = np.arange(0, truth[-1][1], 0.05)
    right = np.mean([label_at(ours, t) == label_at(truth, t) for t in times])
    assert right >= 0.9
    assert [label for *_, label in ours] == [label for *_, label in truth]
    errors = [abs(one[0] - other[0]) for one, other in zip(ours, truth, strict=True)]
    assert np.mean(errors) <= 0.4
    assert np.mean(np.array(errors) <= 0.6) >= 0.9
    assert max(errors) <= 0.8


def test_segments_cover_the_video(found: VideoTimeline) -> None:
    assert found.segments[0].start_seconds == found.start_seconds == 0
    assert found.segments[-1].end_seconds == pytest.approx(found.end_seconds)
    for one, other in pairwise(found.segments):
        assert one.end_seconds == other.start_seconds
    assert all(0 < segment.score <= 1 for segment in found.segments)


def test_only_some_labels(strung: Path) -> None:
    how = TimelineOptions(labels_only="Pan_Left, shake")
    (record,) = timeline(strung, how=how, model="camera-motion", device="cpu")
    assert isinstance(record, VideoTimeline)
    assert {segment.label for segment in record.segments} == {"pan left", "shake"}


def test_a_failure_is_a_record_and_stops_nothing(strung: Path, tiny_model: Path) -> None:
    short = write_blocks(strung.parent / "short.mp4", num_frames=3)
    broken = strung.parent / "broken.mp4"
    broken.write_bytes(b"no video")
    records = list(timeline([broken, short, "gone.mp4"], model=str(tiny_model), device="cpu"))
    assert [type(record) for record in records] == [Failure, VideoTimeline, Failure]
    assert isinstance(records[1], VideoTimeline)
    (segment,) = records[1].segments
    assert (segment.start_seconds, segment.end_seconds) == (0, pytest.approx(0.1))


def test_image_models_have_timelines(strung: Path, tiny_image_model: Path) -> None:
    (record,) = timeline(strung, model=str(tiny_image_model), device="cpu")
    assert isinstance(record, VideoTimeline)
    assert len(record.series.times_seconds) == pytest.approx(record.end_seconds, abs=1)


def test_options_that_cannot_mean_anything(strung: Path) -> None:
    with pytest.raises(UsageError, match="no class 'dancing'"):
        list(timeline(strung, how=TimelineOptions(labels_only="dancing"), model="camera-motion"))
    with pytest.raises(UsageError, match="dense"):
        list(timeline(strung, model="camera-motion", protocol="fast"))
    with pytest.raises(UsageError, match="--threshold"):
        TimelineOptions(threshold=1.0)
    with pytest.raises(UsageError, match="--smooth"):
        TimelineOptions(smooth=-1)
