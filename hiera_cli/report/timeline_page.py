"""Timelines as one HTML page that needs no network: ribbons, scores, thumbnails, a jump there."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from hiera_cli.files import write_text
from hiera_cli.inputs import printable
from hiera_cli.report.ribbons import rows_of, spread_times
from hiera_cli.report.template import fill_template, jpeg_uri
from hiera_cli.report.timeline_plot import shrunk
from hiera_cli.tasks.timeline.timeline import VideoTimeline
from hiera_cli.video.info import DEFAULT_LIMITS, Limits
from hiera_cli.video.stills import read_stills

NUM_THUMBS, THUMB_HEIGHT = 24, 120
MAX_POINTS = 1500


def write_timeline_page(
    videos: Sequence[VideoTimeline], path: Path, *, limits: Limits = DEFAULT_LIMITS
) -> None:
    """Write the page; videos that lie where they were are played in it.

    Raises:
        OutputError: the file cannot be written.
    """
    data = {"videos": [_as_json(video, path, limits) for video in videos]}
    write_text(path, fill_template("timeline.html", data))


def _as_json(video: VideoTimeline, page: Path, limits: Limits) -> dict[str, Any]:
    series = video.series
    chosen = np.linspace(0, len(series.times_seconds) - 1, num=min(MAX_POINTS, len(series.scores)))
    points = chosen.round().astype(int)
    return {
        "path": printable(video.path),
        "src": link_to(video.path, page),
        "start": video.start_seconds,
        "end": video.end_seconds,
        "times": [round(float(t), 3) for t in series.times_seconds[points]],
        "rows": [
            {
                "label": row.label,
                "colour": row.colour,
                "seconds": round(row.seconds, 1),
                "spans": [
                    [round(s.start_seconds, 3), round(s.end_seconds, 3)] for s in row.segments
                ],
                "scores": [round(float(v), 3) for v in series.scores[points, row.index]],
            }
            for row in rows_of(video)
        ],
        "segments": [
            [round(s.start_seconds, 3), round(s.end_seconds, 3), s.label, round(s.score, 4)]
            for s in video.segments
        ],
        "thumbs": _thumbs(video, limits),
    }


def _thumbs(video: VideoTimeline, limits: Limits) -> list[dict[str, Any]]:
    info = video.info
    width = max(16, min(4 * THUMB_HEIGHT, round(THUMB_HEIGHT * info.width / max(info.height, 1))))
    times = spread_times(video.start_seconds, video.end_seconds, NUM_THUMBS)
    return [
        {"at": round(seconds, 3), "uri": jpeg_uri(shrunk(picture, width, THUMB_HEIGHT))}
        for seconds, picture in read_stills(video.path, times, limits=limits)
    ]


def link_to(path: str, page: Path) -> str:
    """The address of a file, relative to a page on the same disk."""
    relative = os.path.relpath(path, page.absolute().parent)
    return quote(relative.replace(os.sep, "/"), errors="surrogateescape")
