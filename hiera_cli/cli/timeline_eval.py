"""`hiera eval VIDEOS --timeline ANNOTATIONS`: segments and frames against annotated ones."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from hiera_cli.cli import console
from hiera_cli.errors import Failure, NoInputError
from hiera_cli.files import write_text
from hiera_cli.inputs import expand_inputs
from hiera_cli.options import EngineOptions
from hiera_cli.tasks.timeline.options import TimelineOptions

if TYPE_CHECKING:
    from hiera_cli.tasks.timeline.scoring import TimelineScore


def evaluate_timelines(
    videos: str,
    annotations: Path,
    engine: EngineOptions,
    *,
    out: Path | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Score the timelines of videos; writes metrics.json below `out` if that is given."""
    from hiera_cli.tasks.timeline.scoring import read_annotations, score_timelines
    from hiera_cli.tasks.timeline.timeline import (
        VideoTimeline,
        open_timeline_engine,
        timeline_files,
    )

    truth = read_annotations(annotations)
    files = [file for file in expand_inputs([videos]) if Path(file.path).stem in truth]
    if not files:
        raise NoInputError("none of the annotated videos was found", hint=f"look into {videos}")
    ready, found, num_failed = open_timeline_engine(engine), [], 0
    records = timeline_files(files, ready, TimelineOptions())
    for record in console.progress(records, total=None, unit="windows", quiet=quiet):
        if isinstance(record, Failure):
            num_failed += 1
            console.show_failure(record)
        elif isinstance(record, VideoTimeline):
            found.append(record)
    score = score_timelines(found, truth, num_failed=num_failed)
    text = json.dumps(asdict(score), indent=2) + "\n"
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write_text(out / "metrics.json", text)
    sys.stdout.write(text if as_json else _lines(score))
    if not num_failed:
        return 0
    return 3 if found else 4


def _lines(score: "TimelineScore") -> str:
    """The score for people."""
    ends = score.boundaries
    rows = [(f"mAP at IoU {iou}", f"{value:6.1%}") for iou, value in score.mean_ap.items()]
    rows += [
        ("average mAP", f"{score.average_map:6.1%}"),
        ("frame accuracy", f"{score.frame_accuracy:6.1%}"),
        ("boundaries", f"{ends.within_0_6_seconds:6.1%} of {ends.num} within 0.6 s"),
    ]
    if ends.median_seconds is not None and ends.worst_seconds is not None:
        far = f"median {ends.median_seconds:.2f} s, worst {ends.worst_seconds:.2f} s"
        rows.append(("", f"{far}, {ends.num_missed} missed, {ends.num_extra} too many"))
    rows.append(("videos", f"{score.num_videos} ({score.num_missing} missing)"))
    return "".join(f"{name:15} {value}\n" for name, value in rows)
