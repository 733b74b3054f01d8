"""`hiera eval VIDEOS --timeline ANNOTATIONS`: segments and frames against annotated ones."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from hiera_cli.cli import console
from hiera_cli.errors import Failure, NoInputError
from hiera_cli.files import write_text
from hiera_cli.inputs import expand_inputs
from hiera_cli.options import EngineOptions
from hiera_cli.tasks.timeline.options import TimelineOptions


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
    if as_json:
        sys.stdout.write(text)
    else:
        for iou, value in score.mean_ap.items():
            sys.stdout.write(f"mAP at IoU {iou}  {value:6.1%}\n")
        sys.stdout.write(f"average mAP     {score.average_map:6.1%}\n")
        sys.stdout.write(f"frame accuracy  {score.frame_accuracy:6.1%}\n")
        sys.stdout.write(f"videos          {score.num_videos} ({score.num_missing} missing)\n")
    if not num_failed:
        return 0
    return 3 if found else 4
