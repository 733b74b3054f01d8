"""`hiera detect`: who or what is where in videos, followed over time, and what they do."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

from hiera_cli.cli import console
from hiera_cli.cli.options import Inputs, TalkOptions
from hiera_cli.cli.records import Tally, as_json
from hiera_cli.cli.timeline_files import FreshNames, check_film, film_place
from hiera_cli.cli.units import counted
from hiera_cli.errors import Failure, MediaError, NoInputError
from hiera_cli.files import write_text
from hiera_cli.inputs import InputPath, expand_inputs, printable
from hiera_cli.options import DecodeOptions
from hiera_cli.tasks.detection.options import DetectOptions

if TYPE_CHECKING:
    from hiera_cli.detection.action_scores import ActionScorer
    from hiera_cli.tasks.detection.detect import Tracker, VideoTracks
    from hiera_cli.video.info import Limits

DetectFormat = Literal["table", "json", "jsonl", "csv", "coco"]


def _flag(name: str, help: str) -> Any:  # noqa: A002
    return typer.Option(name, help=help, rich_help_panel="Detection")


FLAGS: dict[str, Any] = {
    "model": typer.Option("-m", "--model", help="Tells actions: of finetune --task detection."),
    "boxes": _flag("--boxes", "Boxes to follow: CSV of AVA's shape, or detect's JSON lines."),
    "truth": _flag("--truth", "CSV of everybody's boxes, numbered: how complete are the tracks?"),
    "box_times": _flag("--box-times", "Whether their timestamps are seconds or frames."),
    "detector": _flag(
        "--detector", "Finds boxes: folder of finetune --task boxes, or torchvision:NAME."
    ),
    "classes": _flag("--classes", "Those of the detector's to follow, as person,car."),
    "rate": _flag("--rate", "Frames a second that the detector looks at."),
    "min_score": _flag("--min-score", "Of a box that begins a track."),
    "low_score": _flag("--low-score", "Of a box that continues a track that finds no better one."),
    "smooth": _flag(
        "--smooth",
        "Seconds over which a track's boxes are averaged; unsaid: 0.07 for a detector's, else 0.",
    ),
    "action_hop": _flag("--action-hop", "Seconds between instants at which actions are told."),
    "action_score": _flag("--action-score", "Least score of an action."),
    "view": _flag("--view", "The action model sees the center (crop) or the whole (frame)."),
    "min_iou": _flag("--min-iou", "Overlap of a box with where its track is expected."),
    "max_gap": _flag("--max-gap", "Seconds that a track may be out of sight."),
    "min_boxes": _flag("--min-boxes", "Tracks with fewer are dropped."),
    "annotate": _flag("--annotate", "The video with its tracks drawn in, or a folder."),
    "format": typer.Option("-f", "--format", help="table, json, jsonl, csv (AVA) or coco."),
}


def detect(
    inputs: Inputs,
    options: DetectOptions,
    decoding: DecodeOptions,
    talk: TalkOptions,
    model: str | None = None,
    device: str = "auto",
    out: Path | None = None,
    format: DetectFormat = "jsonl",  # noqa: A002
    annotate: Path | None = None,
) -> int:
    """Follow things or people through videos; with -m also say what they do, and when.

    Boxes come from a file (--boxes) or from a detector (--detector).
    """
    from hiera_cli.checkpoints.detector import action_ids
    from hiera_cli.video.info import Limits

    files = list(expand_inputs(inputs, stdin=sys.stdin))
    if not files:
        raise NoInputError("no video found", hint="name files or a folder that holds some")
    check_film(annotate, len(files))
    tracker = _tracker(options, model, device, files, quiet=talk.quiet)
    isolate = len(files) > 1 if decoding.isolate is None else decoding.isolate
    limits = Limits.of(decoding)
    records = tracker.follow(files, limits=limits, isolate=isolate)
    actions = tracker.scorer.loaded.labels if tracker.scorer else ()
    ids = action_ids(model, actions) if model else {}
    films = _Films(annotate, limits, reach=options.max_gap) if annotate else None
    tally, done = Tally(), list["VideoTracks | Failure"]()
    for record in console.progress(records, total=len(files), unit="videos", quiet=talk.quiet):
        tally.add(record)
        done.append(record)
        if isinstance(record, Failure):
            console.show_failure(record)
        elif films and (failure := films.write(record)):
            tally.add(failure)
            console.show_failure(failure)
        if out is None and format in ("table", "jsonl", "csv"):
            sys.stdout.write("".join(_lines(record, format, ids)))
    _finish(done, out, format, ids)
    if options.truth:
        _say_completeness(done)
    return tally.exit_code


def _tracker(
    options: DetectOptions, model: str | None, device: str, files: list[InputPath], *, quiet: bool
) -> "Tracker":
    """What follows, with the boxes and models that the user names."""
    from hiera_cli.tasks.detection.detect import Tracker
    from hiera_cli.tasks.detection.finder import open_finder
    from hiera_cli.tasks.detection.given import read_boxes

    given = read_boxes(options.boxes, options.box_times) if options.boxes else None
    num_unused = given.num_unused(file.path for file in files) if given else 0
    if num_unused and not quiet:
        console.say(f"{counted(num_unused, 'video')} of the boxes not among the inputs")
    return Tracker(
        options,
        open_finder(options, device=device) if options.detector else None,
        given,
        _scorer(options, model, device) if model else None,
        read_boxes(options.truth, options.box_times) if options.truth else None,
    )


def _scorer(options: DetectOptions, model: str, device: str) -> "ActionScorer":
    """What tells actions."""
    from hiera_cli.checkpoints.open import open_model
    from hiera_cli.detection.action_scores import ActionScorer

    loaded = open_model(model, device=device, offline=options.offline, cache_dir=options.cache_dir)
    return ActionScorer(loaded, options.view)


class _Films:
    """The videos with their tracks drawn in."""

    def __init__(self, place: Path, limits: "Limits", *, reach: float) -> None:
        self._place, self._limits, self._reach = place, limits, reach
        self._names = FreshNames()

    def write(self, video: "VideoTracks") -> Failure | None:
        """Write the film of one video; why not, where it cannot be read again."""
        from hiera_cli.report.track_overlay import TrackOverlay
        from hiera_cli.video.rewrite import rewrite_video

        place = film_place(self._place, video.path, self._names)
        draw = TrackOverlay(video, reach=self._reach).draw
        try:
            for _ in rewrite_video(video.info, place, draw=draw, limits=self._limits):
                pass
        except MediaError as error:
            return Failure(video.path, error.kind, error.message)
        return None


def _finish(
    done: "list[VideoTracks | Failure]", out: Path | None, form: str, ids: dict[str, int]
) -> None:
    """Write what could not be written line by line."""
    whole = form in ("json", "coco")
    if out is None and whole:
        sys.stdout.write(_document(done, form))
    if out is not None:
        lines = (line for record in done for line in _lines(record, form, ids))
        write_text(out, _document(done, form) if whole else "".join(lines))


def _say_completeness(done: "list[VideoTracks | Failure]") -> None:
    from hiera_cli.tasks.detection.completeness import is_complete

    shares = [share for r in done if not isinstance(r, Failure) for share in r.shares]
    num = sum(map(is_complete, shares))
    part = f"{num / len(shares):.1%}" if shares else "none"
    console.say(
        f"{num} of {len(shares)} people ({part}) are followed completely: one track overlaps by "
        "half at nine tenths of their boxes"
    )


def _document(records: "list[VideoTracks | Failure]", form: str) -> str:
    """All records as one JSON document."""
    from hiera_cli.tasks.detection.formats import coco_document

    if form == "coco":
        good = [record for record in records if not isinstance(record, Failure)]
        return json.dumps(coco_document(good)) + "\n"
    entries = [entry for record in records for entry in _entries(record)]
    return json.dumps(entries, indent=2) + "\n"


def _entries(record: "VideoTracks | Failure") -> Iterator[dict[str, Any]]:
    from hiera_cli.tasks.detection.formats import track_entry

    yield from (
        [as_json(record)]
        if isinstance(record, Failure)
        else (track_entry(track) for track in record.tracks)
    )


def _lines(record: "VideoTracks | Failure", form: str, ids: dict[str, int]) -> Iterator[str]:
    """A record's lines, newlines included."""
    from hiera_cli.tasks.detection.formats import ava_rows

    if form == "jsonl":
        yield from (json.dumps(entry) + "\n" for entry in _entries(record))
    elif isinstance(record, Failure):
        return
    elif form == "csv":
        yield from (f"{row}\n" for row in ava_rows(record, action_ids=ids))
    else:
        yield from _table(record)


def _table(record: "VideoTracks") -> Iterator[str]:
    facts = f"{record.info.duration_seconds:.1f} s, {len(record.tracks)} tracks"
    yield f"{printable(record.path)}  {facts}\n"
    for track in record.tracks:
        first, last = track.boxes[0], track.boxes[-1]
        span = f"{first.time_seconds:7.2f} to {last.time_seconds:7.2f} s"
        yield f"  {track.track:3d} {printable(track.label):12} {span}, {len(track.boxes)} boxes\n"
        for a in track.actions:
            yield f"        {a.start_seconds:7.2f} to {a.end_seconds:7.2f} s {a.score:6.1%} "
            yield f"{printable(a.label)}\n"
