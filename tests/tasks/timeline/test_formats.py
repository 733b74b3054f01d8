"""Timelines in the forms that players and annotation tools read."""

import json
from pathlib import Path
from xml.etree import ElementTree

import av
import numpy as np
import pytest

from hiera_cli.tasks.timeline.formats import to_audacity, to_edl, to_srt, to_vtt, to_youtube
from hiera_cli.tasks.timeline.interchange import (
    to_activitynet,
    to_boris,
    to_elan,
    to_labelstudio,
)
from hiera_cli.tasks.timeline.per_second import PerSecond
from hiera_cli.tasks.timeline.timeline import VideoTimeline, WindowScores


@pytest.mark.parametrize(("write", "suffix"), [(to_srt, "srt"), (to_vtt, "vtt")])
def test_subtitles_load_in_ffmpeg(
    write: object, suffix: str, found: VideoTimeline, tmp_path: Path
) -> None:
    path = tmp_path / f"x.{suffix}"
    path.write_text(write(found))  # type: ignore[operator]
    with av.open(str(path)) as container:
        (stream,) = container.streams.subtitles
        packets = [packet for packet in container.demux(stream) if packet.size]
    assert len(packets) == len(found.segments)
    for packet, segment in zip(packets, found.segments, strict=True):
        assert float(packet.pts * packet.time_base) == pytest.approx(
            segment.start_seconds, abs=2e-3
        )
        assert bytes(packet).decode() == f"{segment.label} {segment.score:.0%}"


def test_lists_of_times(found: VideoTimeline) -> None:
    first = found.segments[0]
    start, end, label = to_audacity(found).splitlines()[0].split("\t")
    assert (float(start), label) == (0, first.label)
    assert float(end) == pytest.approx(first.end_seconds, abs=1e-5)
    chapters = to_youtube(found).splitlines()
    assert chapters[0] == f"0:00 {first.label}"
    minutes = [line.split(" ")[0].split(":") for line in chapters]
    seconds = [60 * int(m) + int(s) for m, s in minutes]
    assert min(np.diff(seconds)) >= 9  # ten seconds, cut to whole ones
    events = [line for line in to_edl(found).splitlines() if line[:3].isdigit()]
    assert len(events) == len(found.segments)
    frames = round(first.end_seconds * 15)
    assert events[0].endswith(f"00:00:00:00 00:00:{frames // 15:02d}:{frames % 15:02d}")


def test_annotation_tools(found: VideoTimeline) -> None:
    net = json.loads(to_activitynet([found]))["results"]["strung"]
    assert [item["label"] for item in net] == [s.label for s in found.segments]
    assert net[1]["segment"] == [found.segments[1].start_seconds, found.segments[1].end_seconds]
    (task,) = json.loads(to_labelstudio([found]))
    ranges = [r["value"]["ranges"][0] for r in task["predictions"][0]["result"]]
    assert ranges[0]["start"] == 1
    assert ranges[-1]["end"] == found.info.num_frames
    boris = json.loads(to_boris([found]))
    (observation,) = boris["observations"].values()
    assert len(observation["events"]) == 2 * len(found.segments)
    root = ElementTree.fromstring(to_elan(found))
    times = {s.get("TIME_SLOT_ID"): int(s.get("TIME_VALUE", "")) for s in root.iter("TIME_SLOT")}
    assert list(times.values()) == sorted(times.values())
    pairs = [
        (times[a.get("TIME_SLOT_REF1")], times[a.get("TIME_SLOT_REF2")])
        for a in root.iter("ALIGNABLE_ANNOTATION")
    ]
    expected = [
        (round(1000 * s.start_seconds), round(1000 * s.end_seconds)) for s in found.segments
    ]
    assert sorted(pairs) == expected


def test_seconds_are_means_of_their_windows() -> None:
    seconds = PerSecond()
    rows = []
    for center, value in ((0.5, 0.0), (0.9, 1.0), (1.2, 0.25)):
        rows += seconds.push(WindowScores("a", center, np.array([value], np.float32)))
    rows += seconds.finish()
    assert [(row.second, float(row.scores[0])) for row in rows] == [(0, 0.5), (1, 0.25)]
