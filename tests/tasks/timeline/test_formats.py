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


def test_label_studio_takes_the_predictions(found: VideoTimeline) -> None:
    """As its guide "Label Studio task format" and its tag `TimelineLabels` ask for."""
    tasks = json.loads(to_labelstudio([found]))
    assert isinstance(tasks, list)
    assert tasks[0].keys() <= {"data", "predictions", "annotations", "meta"}
    assert isinstance(tasks[0]["data"]["video"], str)
    (prediction,) = tasks[0]["predictions"]
    assert isinstance(prediction["model_version"], str)
    regions = prediction["result"]
    assert len({region["id"] for region in regions}) == len(regions) > 0
    for region in regions:
        assert region.keys() >= {"id", "type", "from_name", "to_name", "value"}
        assert (region["type"], region["to_name"]) == ("timelinelabels", "video")
        assert all(isinstance(region[key], str) for key in ("id", "from_name"))
        assert 0 <= region["score"] <= 1
        assert region["value"].keys() == {"ranges", "timelinelabels"}
        assert all(isinstance(label, str) for label in region["value"]["timelinelabels"])
        for span in region["value"]["ranges"]:
            assert type(span["start"]) is int is type(span["end"])
            assert 1 <= span["start"] <= span["end"] <= found.info.num_frames


def test_boris_opens_the_project(found: VideoTimeline) -> None:
    """The fields of its own projects in format 7.0, as its repository has them as tests."""
    project = json.loads(to_boris([found]))
    texts = ("time_format", "project_date", "project_name", "project_description")
    assert all(isinstance(project[key], str) for key in (*texts, "project_format_version"))
    assert project["time_format"] in ("s", "hh:mm:ss")
    tables = ("subjects_conf", "behaviors_conf", "independent_variables", "coding_map")
    assert all(isinstance(project[key], dict) for key in (*tables, "converters", "observations"))
    assert isinstance(project["behavioral_categories"], list)
    codes = set()
    for behaviour in project["behaviors_conf"].values():
        codes.add(behaviour["code"])
        assert behaviour["type"] in ("State event", "Point event")
        assert isinstance(behaviour["modifiers"], dict)
        for key in ("key", "description", "category", "excluded", "coding map"):
            assert isinstance(behaviour[key], str)
    (observation,) = project["observations"].values()
    assert observation["type"] == "MEDIA"
    (path,) = observation["file"]["1"]
    assert set(observation["media_info"]["offset"]) >= {"1"}
    for key, kind in (("length", float), ("fps", float), ("hasVideo", bool)):
        assert isinstance(observation["media_info"][key][path], kind)
    assert isinstance(observation["time offset"], float)
    events = observation["events"]
    assert events == sorted(events, key=lambda event: event[0])
    for seconds, subject, code, modifier, comment in events:
        assert 0 <= seconds <= observation["media_info"]["length"][path] + 1e-3
        assert (subject, modifier, comment) == ("", "", "")
        assert code in codes
    counts = {code: sum(event[2] == code for event in events) for code in codes}
    assert all(count % 2 == 0 for count in counts.values())  # state events come in pairs
