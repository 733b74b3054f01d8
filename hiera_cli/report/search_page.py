"""Clips that were found, as one HTML page with frames of each."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hiera_cli.files import write_text
from hiera_cli.inputs import printable
from hiera_cli.report.ribbons import clock, spread_times
from hiera_cli.report.template import fill_template, jpeg_uri
from hiera_cli.report.timeline_page import link_to
from hiera_cli.report.timeline_plot import shrunk
from hiera_cli.tasks.search.rows import find_video
from hiera_cli.video.stills import read_stills

MOST_CLIPS, MOST_IN_GROUP, NUM_FRAMES, HEIGHT = 500, 12, 3, 110


def write_search_page(
    records: Sequence[Any], path: Path, *, title: str, made: Mapping[str, Any], root: str | None
) -> None:
    """Write the page; of groups the first dozen clips each, at most 500 clips in all.

    Args:
        records: neighbours, duplicates or clustered clips.
        path: of the page.
        title: its heading.
        made: metadata of the table.
        root: where the videos are now; None: where they were.

    Raises:
        OutputError: the file cannot be written.
    """
    shown: dict[str, list[dict[str, Any]]] = {}
    num_shown = 0
    for record in _in_order(records):
        group = group_of(record)
        clips = shown.setdefault("" if group is None else f"Group {group}", [])
        if num_shown < MOST_CLIPS and (group is None or len(clips) < MOST_IN_GROUP):
            clips.append(_card(record, find_video(record.path, made, root), path))
            num_shown += 1
    note = f"{len(records)} clips, {num_shown} of them shown; the number is the cosine similarity."
    groups = [{"name": name, "clips": clips} for name, clips in shown.items()]
    data = {"title": printable(title), "note": note, "groups": groups}
    write_text(path, fill_template("search.html", data))


def group_of(record: Any) -> int | None:
    """The number of the group or cluster that a clip is in."""
    values = asdict(record)
    number = values.get("group", values.get("cluster"))
    return None if number is None else int(number)


def _in_order(records: Sequence[Any]) -> Sequence[Any]:
    """Clusters by number, in each the clips nearest to its center, one of a file before the next.

    Clips of other searches stay in their order.
    """
    if not records or not hasattr(records[0], "cluster"):
        return records
    seen: Counter[tuple[int, str]] = Counter()
    turns = []
    ordered = sorted(records, key=lambda r: (r.cluster, -r.score))
    for record in ordered:
        turns.append((record.cluster, seen[record.cluster, record.path]))
        seen[record.cluster, record.path] += 1
    return [ordered[k] for k in sorted(range(len(ordered)), key=turns.__getitem__)]


def _card(record: Any, video: str, page: Path) -> dict[str, Any]:
    start, end = record.start_seconds, record.end_seconds
    pictures = []
    for _, picture in read_stills(video, spread_times(start, end, NUM_FRAMES)):
        height, width = picture.shape[:2]
        wide = max(16, min(3 * HEIGHT, round(HEIGHT * width / height)))
        pictures.append(jpeg_uri(shrunk(picture, wide, HEIGHT)))
    return {
        "path": printable(record.path),
        "times": f"{clock(start, step=0.1)} – {clock(end, step=0.1)}",
        "score": f"{record.score:.3f}",
        "href": f"{link_to(video, page)}#t={start:.2f},{end:.2f}",
        "pictures": pictures,
    }
