"""`hiera timeline`: what happens when in videos, as records, subtitles, plots and films."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, Self, get_args

import typer

from hiera_cli.cli import console
from hiera_cli.cli.options import Format, OutputOptions
from hiera_cli.cli.records import Layout, RecordWriter, Tally
from hiera_cli.cli.sources import find_files
from hiera_cli.cli.timeline_files import (
    DOCUMENTS,
    PICTURES,
    SHEETS,
    DocumentWriter,
    SecondWriter,
    TimelineFiles,
    check_outputs,
)
from hiera_cli.errors import Failure, MediaError, UsageError
from hiera_cli.inputs import printable
from hiera_cli.options import EngineOptions, check_choices
from hiera_cli.tasks.timeline.options import TimelineOptions

if TYPE_CHECKING:
    from hiera_cli.inference.engine import Engine

TimelineFormat = Literal[
    "table", "json", "jsonl", "csv", "srt", "vtt", "activitynet", "elan", "boris",
    "labelstudio", "audacity", "edl", "youtube",
]  # fmt: skip
_SUFFIXES = {".eaf": "elan", ".boris": "boris", ".edl": "edl", ".srt": "srt", ".vtt": "vtt"}


@dataclass(frozen=True)
class TimelineOutput:
    """Where segments, pictures and films go, and how much is said."""

    out: Path | None = None
    format: TimelineFormat | None = None
    plot: list[Path] | None = None
    annotate: Path | None = None
    save_clips: Path | None = None
    per_second: Path | None = None
    device_input: str | None = None
    quiet: bool = False
    verbose: bool = False

    def __post_init__(self) -> None:
        """Refuse values that cannot mean anything.

        Raises:
            UsageError: a value that is no choice.
        """
        check_choices(self)
        for plot in self.plot or []:
            if plot.suffix.lower() not in PICTURES:
                hint = "end its name in .png or .html"
                raise UsageError(f"cannot plot to '{plot}'", hint=hint)

    @property
    def chosen_format(self) -> str:
        """The format asked for, else the one of the output's suffix."""
        suffix = self.out.suffix.lower() if self.out else ""
        plain = suffix.removeprefix(".")
        known = plain if plain in get_args(Format) else "table"
        return self.format or _SUFFIXES.get(suffix, known)


def _flag(*names: str, help: str, panel: str = "Timeline") -> Any:  # noqa: A002
    return typer.Option(*names, help=help, rich_help_panel=panel)


FLAGS = {
    "inputs": typer.Argument(
        metavar="VIDEOS...", help="Files, folders, globs, @list.txt or -.", show_default=False
    ),
    "threshold": _flag("--threshold", help="Below this score there is no label."),
    "smooth": _flag("--smooth", help="Seconds of smoothing (Viterbi); 0: none."),
    "labels_only": _flag("--labels-only", help="Only these classes: 'pan left,shake'."),
    "format": _flag("-f", "--format", help=", ".join(get_args(TimelineFormat)) + "."),
    "plot": _flag("--plot", help="Draw to FILE.png or FILE.html; may be repeated."),
    "annotate": _flag("--annotate", help="The video with its labels drawn in, or a folder."),
    "save_clips": _flag("--save-clips", help="Folder for a file a segment."),
    "per_second": _flag("--per-second", help="CSV with the scores of every second."),
    "device_input": _flag("--device-input", help="A camera (/dev/video0), or - for a pipe."),
}
COLUMNS = ("path", "start_seconds", "end_seconds", "label", "score", "error")


def timeline(
    how: TimelineOptions,
    engine: EngineOptions,
    output: TimelineOutput,
    inputs: list[str] | None = None,
) -> int:
    """Say what happens when in videos.

    Dense windows are scored, smoothed (Viterbi) and merged into segments.
    """
    if output.device_input is not None:
        return _follow(output.device_input, how, engine, output)
    files = find_files(inputs or [], quiet=output.quiet)
    check_outputs(output.chosen_format, output.out, output.annotate, len(files))
    from hiera_cli.tasks.timeline.timeline import WindowScores, timeline_files

    ready = _open(engine, output)
    tally, at = Tally(), [""]
    made = TimelineFiles(
        engine,
        annotate=output.annotate,
        save_clips=output.save_clips,
        plots=output.plot or [],
    )
    seconds = SecondWriter(output.per_second, ready.loaded.labels)
    with _writer(output) as writer, seconds:
        for record in console.progress(
            timeline_files(files, ready, how),
            total=None,
            unit="windows",
            quiet=output.quiet,
            note=lambda: at[0],
        ):
            if isinstance(record, WindowScores):
                seconds.take(record)
                at[0] = f"{printable(record.path)} {_clock(record.center_seconds)}"
                continue
            tally.add(record)
            writer.write(record)
            if isinstance(record, Failure):
                console.show_failure(record)
                continue
            for _ in console.progress(
                made.add(record), total=None, unit="frames written", quiet=output.quiet
            ):
                pass
    made.finish()
    return max(tally.exit_code, made.exit_code)


def _follow(name: str, how: TimelineOptions, engine: EngineOptions, output: TimelineOutput) -> int:
    """Print what a camera or a pipe shows while it comes."""
    from hiera_cli.tasks.timeline.stream import Change, follow_stream, open_stream

    if output.chosen_format not in get_args(Format):
        raise UsageError(f"a stream cannot be written as {output.chosen_format}")
    ready = _open(engine, output)
    frames = open_stream(name, sys.stdin.buffer, max_pixels=engine.max_pixels)
    tally = Tally()
    with SegmentWriter(output) as writer:
        try:
            for record in follow_stream(frames, ready, how, name=name):
                if isinstance(record, Change):
                    if not output.quiet:
                        now = ", ".join(record.labels) or "nothing"
                        console.say(f"{_clock(record.at_seconds)}  {now}")
                else:
                    writer.write(record)
                tally.add(record)
        except MediaError as error:
            failure = Failure(name, error.kind, error.message)
            tally.add(failure)
            writer.write(failure)
            console.show_failure(failure)
    return tally.exit_code


def _open(engine: EngineOptions, output: TimelineOutput) -> "Engine":
    from hiera_cli.tasks.timeline.timeline import open_timeline_engine

    return open_timeline_engine(engine, progress=console.byte_progress(quiet=output.quiet))


def _writer(output: TimelineOutput) -> "DocumentWriter | SegmentWriter":
    if output.chosen_format in SHEETS or output.chosen_format in DOCUMENTS:
        return DocumentWriter(output.chosen_format, output.out)
    return SegmentWriter(output)


class SegmentWriter:
    """Writes segments as records, a heading before those of each video in a table."""

    def __init__(self, output: TimelineOutput) -> None:
        plain: Any = output.chosen_format
        options = OutputOptions(output.out, plain, output.quiet, output.verbose)
        self._records = RecordWriter(options, Layout(COLUMNS, _csv_rows, _show))
        self._headings = plain == "table"

    def __enter__(self) -> Self:
        self._records.__enter__()
        return self

    def write(self, record: Any) -> None:
        """Add a video's timeline, a single segment, or a failure."""
        if not hasattr(record, "segments"):
            self._records.write(record)
            return
        if self._headings:
            self._records.write(record)
        for segment in record.segments:
            self._records.write(segment)

    def __exit__(self, *error: Any) -> None:
        self._records.__exit__(*error)


def _csv_rows(record: Any) -> list[dict[str, Any]]:
    if isinstance(record, Failure):
        return [{"path": record.path, "error": f"{record.kind}: {record.message}"}]
    return [{name: getattr(record, name) for name in COLUMNS[:-1]}]


def _show(record: Any, stream: IO[str]) -> None:
    """A heading for a video, a line for a segment."""
    if isinstance(record, Failure):
        return
    from rich.text import Text

    page = console.page(stream)
    if hasattr(record, "segments"):
        facts = f"  {record.info.duration_seconds:.1f} s"
        heading = console.fit(printable(record.path), stream, beside=len(facts))
        page.print(Text(heading, style="bold"), Text(facts, style="dim"), sep="")
        return
    times = f"  {_clock(record.start_seconds)} - {_clock(record.end_seconds)}"
    score = f"  {record.score:6.1%}  "
    label = console.fit(printable(record.label), stream, beside=len(times + score))
    page.print(Text(times), Text(score, style="dim"), Text(label), sep="")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds, 2), 60)
    return f"{int(minutes) // 60}:{int(minutes) % 60:02d}:{rest:05.2f}"
