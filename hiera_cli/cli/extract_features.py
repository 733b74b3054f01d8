"""`hiera extract-features`: a Parquet table with a row for every clip."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from hiera_cli.cli import console
from hiera_cli.cli.options import RAY_FLAGS, Inputs, TalkOptions
from hiera_cli.cli.sources import find_files
from hiera_cli.cli.units import counted, duration, size
from hiera_cli.distributed.options import RayOptions
from hiera_cli.errors import Failure, NoInputError, UsageError
from hiera_cli.inputs import InputPath
from hiera_cli.options import ArrayLayout, EngineOptions
from hiera_cli.remote import is_remote
from hiera_cli.tasks.features.options import BoxOptions, FeatureOptions, TableOptions

if TYPE_CHECKING:
    from hiera_cli.tasks.features.workers import OpenWorkers


def _flag(*names: str, help: str, panel: str = "Features", **rest: Any) -> Any:  # noqa: A002
    return typer.Option(*names, help=help, rich_help_panel=panel, **rest)


_TABLE = "Output"
NOTHING_DONE = 4

FLAGS = {
    **RAY_FLAGS,
    "out": _flag("-o", "--out", help="A .parquet file, a folder, or a URL.", panel=_TABLE),
    "on_existing": _flag("--on-existing", help="resume, overwrite or error.", panel=_TABLE),
    "retry_failed": _flag("--retry-failed", help="Try failed videos again.", panel=_TABLE),
    "rows_per_shard": _flag("--rows-per-shard", help="Rows a file of the folder.", panel=_TABLE),
    "shard": _flag("--shard", help="I/N: this share of the videos; or auto.", panel=_TABLE),
    "absolute_paths": _flag("--absolute-paths", help="Name videos by full path.", panel=_TABLE),
    "devices": _flag("--devices", help="Several GPUs at once, as 0,1.", panel="Hardware"),
    "layer": _flag(
        "--layer", help="stage1, stage2, stage3, stage4, final or stages (2, 3, final)."
    ),
    "pool": _flag("--pool", help="mean, max or none (all tokens)."),
    "feature_dtype": _flag("--feature-dtype", help="float32 or float16."),
    "scores": _flag("--scores", help="Class probabilities as well."),
    "fps": _flag("--fps", help="Frames a second, for image models. [default: 1]"),
    "export": _flag(
        "--export", help="Arrays as well: npy, actionformer or video-features.", panel=_TABLE
    ),
    "boxes": _flag("--boxes", help="Rows for boxes: CSV of AVA's shape, or detect's JSON lines."),
    "box_times": _flag("--box-times", help="Whether the CSV has seconds or frames."),
    "per": _flag("--per", help="A row for each box, or one for each track."),
    "dry_run": _flag("--dry-run", help="Say what it would take, and stop.", panel="Output"),
}


def extract_features(
    inputs: Inputs,
    engine: EngineOptions,
    features: FeatureOptions,
    boxes: BoxOptions,
    table: TableOptions,
    cluster: RayOptions,
    talk: TalkOptions,
    out: str | None = None,
    dry_run: bool = False,
    format: str | None = None,  # noqa: A002 - the flag's name
) -> int:
    """Extract a feature vector for every clip of every video into a Parquet table.

    With --boxes there is one for each box or track. Killed at any moment and run again, it goes on
    where it was.
    """
    if out is None:
        raise UsageError("extract-features needs --out", hint="add --out features.parquet")
    if features.export is not None and table.shard is not None:
        hint = "merge the shares first, then run the same command without --shard"
        raise UsageError("--export needs the whole table", hint=hint)
    files = find_files(inputs, quiet=talk.quiet)
    workers = _open_workers(cluster, table)
    if boxes.boxes is not None:
        files, workers = _of_boxes(files, boxes, cluster, table, dry_run, quiet=talk.quiet)
    if dry_run:
        with console.waiting("measuring", quiet=talk.quiet):
            return _estimate(files, out, engine, features, table, format)
    code = _write(files, out, engine, features, table, workers, talk)
    if features.export is not None and code != NOTHING_DONE:
        _export(out, features.export, quiet=talk.quiet)
    return code


def _export(out: str, layout: ArrayLayout, *, quiet: bool) -> None:
    """Arrays in a folder that is called as the table is; of a table at a URL, in this one."""
    from hiera_cli.tasks.features.arrays import export_arrays

    stem = Path(out.rstrip("/")).with_suffix("")
    folder = (Path.cwd() / stem.name if is_remote(out) else stem).with_suffix(".arrays")
    num_files = sum(1 for _ in export_arrays(out, folder, layout))
    if not quiet:
        console.say(f"{num_files} arrays are in {folder}")


def _write(
    files: Sequence[InputPath],
    out: str,
    engine: EngineOptions,
    features: FeatureOptions,
    table: TableOptions,
    workers: "OpenWorkers | None",
    talk: TalkOptions,
) -> int:
    from hiera_cli.tasks.features.table import Started, output_names, write_features
    from hiera_cli.tasks.features.writer import VideoFeatures

    records = write_features(
        files, out, features=features, options=engine, table=table, open_workers=workers
    )
    with console.waiting(f"opening {engine.model}", quiet=talk.quiet):
        started = next(records)
    assert isinstance(started, Started)
    num_good, num_failed, num_clips = started.num_finished, 0, 0
    if started.num_finished and not talk.quiet:
        of_all = counted(started.num_videos, "video", be=True)
        console.say(f"{started.num_finished} of {of_all} finished already")
    for record in console.progress(
        records,
        total=started.num_videos,
        done=started.num_finished,
        unit="videos",
        quiet=talk.quiet,
    ):
        if isinstance(record, Failure):
            num_failed += 1
            console.show_failure(record)
        elif isinstance(record, VideoFeatures):
            num_good += 1
            num_clips += record.num_clips
            if not talk.quiet:
                console.show_warnings(record.path, record.warnings)
    place, errors = output_names(out, table)
    if not talk.quiet:
        good = counted(num_good, "video", be=True)
        console.say(f"{counted(num_clips, 'row')} added; {good} in {place}")
        if num_failed:
            console.say(f"{num_failed} failed: see {errors}")
    if not num_failed:
        return 0
    return 3 if num_good else NOTHING_DONE


def _open_workers(cluster: RayOptions, table: TableOptions) -> "OpenWorkers | None":
    """Who computes; None for this machine."""
    if cluster.engine == "local":
        return None
    if table.devices is not None:
        raise UsageError("--devices is for --engine local", hint="use --num-actors")
    from hiera_cli.distributed.jobs import open_ray_workers

    return partial(open_ray_workers, cluster)


def _of_boxes(
    files: Sequence[InputPath],
    boxes: BoxOptions,
    cluster: RayOptions,
    table: TableOptions,
    dry_run: bool,
    *,
    quiet: bool,
) -> "tuple[list[InputPath], OpenWorkers]":
    """The videos that have boxes, and who computes their features."""
    from hiera_cli.tasks.features.boxes import open_box_workers, read_box_file

    refused = {
        "--engine ray": cluster.engine != "local",
        "--devices": table.devices is not None,
        "--dry-run": dry_run,
    }
    for flag in (flag for flag, is_given in refused.items() if is_given):
        raise UsageError(f"{flag} has no meaning with --boxes")
    file = read_box_file(boxes)
    found = [source for source in files if file.holds(source.path)]
    if not found:
        raise NoInputError(
            f"{boxes.boxes} has no boxes of these videos",
            hint="a CSV names videos by their file's name, detect's JSON lines by their path",
        )
    num_unused = file.num_unused(source.path for source in files)
    if not quiet and num_unused:
        console.say(f"{counted(num_unused, 'video')} of the boxes not among the inputs")
    if not quiet and len(found) < len(files):
        console.say(f"{counted(len(files) - len(found), 'video')} without boxes: no rows are made")
    return found, partial(open_box_workers, file, boxes)


def _estimate(
    files: Sequence[InputPath],
    out: str,
    engine: EngineOptions,
    features: FeatureOptions,
    table: TableOptions,
    form: str | None,
) -> int:
    from hiera_cli.tasks.features.estimate import estimate_features

    found = estimate_features(files, out, features=features, options=engine, table=table)
    if form in ("json", "jsonl"):
        sys.stdout.write(json.dumps(asdict(found)) + "\n")
        return 0
    videos = (
        f"{found.num_videos} ({found.num_finished} finished, {found.num_unreadable} not readable)"
    )
    facts = (
        ("videos", videos),
        ("clips", str(found.num_clips)),
        ("output", f"{size(found.output_bytes)} before compression"),
        ("speed", f"{found.clips_per_second:.2f} clips a second"),
        ("time", duration(found.seconds)),
    )
    console.show_facts(facts)
    return 0
