"""Timelines of several videos as the files of annotation tools."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from hiera_cli.inputs import printable
from hiera_cli.tasks.timeline.timeline import VideoTimeline

EAF_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
NO_DATE = "1970-01-01T00:00:00+00:00"  # files must not differ from run to run


def to_activitynet(videos: Sequence[VideoTimeline]) -> str:
    """Results in the form of the ActivityNet challenge; videos by name without suffix."""
    results = {
        Path(video.path).stem: [
            {
                "label": segment.label,
                "score": segment.score,
                "segment": [segment.start_seconds, segment.end_seconds],
            }
            for segment in video.segments
        ]
        for video in videos
    }
    whole = {"version": "VERSION 1.3", "results": results, "external_data": {"used": False}}
    return json.dumps(whole, indent=2) + "\n"


def to_labelstudio(videos: Sequence[VideoTimeline]) -> str:
    """Tasks with predictions for Label Studio's `TimelineLabels` over a `Video` named `video`.

    Ranges count frames from 1.
    """
    tasks = [
        {
            "data": {"video": video.path},
            "predictions": [{"model_version": "hiera", "result": _ranges(video)}],
        }
        for video in videos
    ]
    return json.dumps(tasks, indent=2) + "\n"


def _ranges(video: VideoTimeline) -> list[dict[str, Any]]:
    first, fps = video.start_seconds, video.info.fps
    last = video.info.num_frames
    return [
        {
            "id": f"segment-{number}",
            "type": "timelinelabels",
            "from_name": "timelineLabels",
            "to_name": "video",
            "score": segment.score,
            "value": {
                "ranges": [
                    {
                        "start": min(last, 1 + round((segment.start_seconds - first) * fps)),
                        "end": min(last, max(1, round((segment.end_seconds - first) * fps))),
                    }
                ],
                "timelinelabels": [segment.label],
            },
        }
        for number, segment in enumerate(video.segments, start=1)
    ]


def to_boris(videos: Sequence[VideoTimeline]) -> str:
    """A project of BORIS: one observation a video, one state event a segment."""
    labels = sorted({segment.label for video in videos for segment in video.segments})
    ethogram = {
        str(index): {
            "type": "State event",
            "key": "",
            "code": label,
            "description": "",
            "category": "",
            "modifiers": {},
            "excluded": "",
            "coding map": "",
        }
        for index, label in enumerate(labels)
    }
    project = {
        "time_format": "s",
        "project_date": NO_DATE[:19],
        "project_name": "hiera timeline",
        "project_description": "",
        "project_format_version": "7.0",
        "subjects_conf": {},
        "behaviors_conf": ethogram,
        "behavioral_categories": [],
        "independent_variables": {},
        "coding_map": {},
        "converters": {},
        "observations": {printable(video.path): _observation(video) for video in videos},
    }
    return json.dumps(project, indent=1) + "\n"


def _observation(video: VideoTimeline) -> dict[str, Any]:
    first = video.start_seconds
    edges = sorted(
        (round(seconds - first, 3), segment.label)
        for segment in video.segments
        for seconds in (segment.start_seconds, segment.end_seconds)
    )
    return {
        "file": {"1": [video.path], **{str(player): [] for player in range(2, 9)}},
        "type": "MEDIA",
        "date": NO_DATE[:19],
        "description": "",
        "time offset": 0.0,
        "events": [[seconds, "", label, "", ""] for seconds, label in edges],
        "independent_variables": {},
        "close_behaviors_between_videos": False,
        "visualize_spectrogram": False,
        "media_info": {
            "length": {video.path: video.info.duration_seconds},
            "fps": {video.path: video.info.fps},
            "hasVideo": {video.path: True},
            "offset": {"1": 0.0},
        },
    }


def to_elan(video: VideoTimeline) -> str:
    """An annotation document of ELAN (EAF 3.0), a tier a label: labels may overlap."""
    root = ElementTree.Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": "hiera",
            "DATE": NO_DATE,
            "FORMAT": "3.0",
            "VERSION": "3.0",
            "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
            "xsi:noNamespaceSchemaLocation": EAF_SCHEMA,
        },
    )
    header = ElementTree.SubElement(
        root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"}
    )
    url = Path(printable(video.path)).absolute().as_uri()
    media = {"MEDIA_URL": url, "MIME_TYPE": "video/*"}
    ElementTree.SubElement(header, "MEDIA_DESCRIPTOR", media)
    slots = _add_time_slots(root, video)
    number = 0
    for label in dict.fromkeys(segment.label for segment in video.segments):
        tier = {"LINGUISTIC_TYPE_REF": "default-lt", "TIER_ID": printable(label)}
        annotations = ElementTree.SubElement(root, "TIER", tier)
        for segment in (s for s in video.segments if s.label == label):
            number += 1
            ends = slots[segment.start_seconds], slots[segment.end_seconds]
            _add_annotation(annotations, f"a{number}", ends, printable(label))
    kind = {"GRAPHIC_REFERENCES": "false", "LINGUISTIC_TYPE_ID": "default-lt"}
    ElementTree.SubElement(root, "LINGUISTIC_TYPE", {**kind, "TIME_ALIGNABLE": "true"})
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _add_time_slots(root: ElementTree.Element, video: VideoTimeline) -> dict[float, str]:
    """A slot for every time at which a segment begins or ends, ascending; names by time."""
    order = ElementTree.SubElement(root, "TIME_ORDER")
    ends = {s for segment in video.segments for s in (segment.start_seconds, segment.end_seconds)}
    slots = {}
    for number, seconds in enumerate(sorted(ends), start=1):
        slots[seconds] = f"ts{number}"
        value = str(max(0, round(1000 * (seconds - video.start_seconds))))
        slot = {"TIME_SLOT_ID": slots[seconds], "TIME_VALUE": value}
        ElementTree.SubElement(order, "TIME_SLOT", slot)
    return slots


def _add_annotation(tier: ElementTree.Element, name: str, slots: Sequence[str], label: str) -> None:
    outer = ElementTree.SubElement(tier, "ANNOTATION")
    attributes = {
        "ANNOTATION_ID": name,
        "TIME_SLOT_REF1": slots[0],
        "TIME_SLOT_REF2": slots[1],
    }
    inner = ElementTree.SubElement(outer, "ALIGNABLE_ANNOTATION", attributes)
    ElementTree.SubElement(inner, "ANNOTATION_VALUE").text = label


WRITERS: dict[str, Callable[[Sequence[VideoTimeline]], str]] = {
    "activitynet": to_activitynet,
    "labelstudio": to_labelstudio,
    "boris": to_boris,
}
