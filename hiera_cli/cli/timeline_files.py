"""What `hiera timeline` writes beside its records: documents, films, clips, plots, scores."""

import csv
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

from hiera_cli.cli import console
from hiera_cli.errors import Failure, MediaError, OutputError, UsageError
from hiera_cli.files import output_errors, replacing, write_text
from hiera_cli.inputs import printable
from hiera_cli.options import EngineOptions

if TYPE_CHECKING:
    from hiera_cli.tasks.timeline.timeline import VideoTimeline

SHEETS = {"srt": ".srt", "vtt": ".vtt", "audacity": ".txt", "youtube": ".txt", "edl": ".edl"} | {
    "elan": ".eaf"
}
DOCUMENTS = frozenset({"activitynet", "labelstudio", "boris"})
PICTURES = frozenset({".png", ".html"})
FILMS = frozenset({".mp4", ".mkv", ".mov", ".webm"})
SOME_FAILED = 3


def is_folder(path: Path) -> bool:
    """Whether an output is meant as a folder: it is one, or its name has no suffix."""
    return path.is_dir() or not path.suffix


def check_outputs(form: str, out: Path | None, annotate: Path | None, num_files: int) -> None:
    """Refuse, before anything is computed, outputs that cannot hold so many videos.

    Raises:
        UsageError: a file where a folder is needed, or a film of an unknown kind.
    """
    if form in SHEETS and num_files > 1 and (out is None or not is_folder(out)):
        raise UsageError(f"{form} holds one video", hint="name a folder: --out FOLDER")
    check_film(annotate, num_files)


def check_film(annotate: Path | None, num_files: int) -> None:
    """Refuse a film that cannot be written.

    Raises:
        UsageError: a file where a folder is needed, or a film of an unknown kind.
    """
    if annotate is None:
        return
    if num_files > 1 and not is_folder(annotate):
        raise UsageError("--annotate writes one film a video", hint="name a folder")
    if not is_folder(annotate) and annotate.suffix.lower() not in FILMS:
        raise UsageError(f"cannot write a film to '{annotate}'", hint="end its name in .mp4")


class FreshNames:
    """File names in a folder, none twice, made from what the user named."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def name(self, stem: str, suffix: str) -> str:
        """A name that was not given out before."""
        plain = "".join(c if c.isalnum() or c in " ._-+" else "_" for c in printable(stem))
        number, name = 1, f"{plain[:120]}{suffix}"
        while name.lower() in self._taken:
            number += 1
            name = f"{plain[:120]}-{number}{suffix}"
        self._taken.add(name.lower())
        return name


class DocumentWriter:
    """Writes timelines as documents of other programs: one a video, or one for all."""

    def __init__(self, form: str, out: Path | None) -> None:
        self._form, self._out = form, out
        self._names = FreshNames()
        self._videos: list[VideoTimeline] = []

    def __enter__(self) -> Self:
        return self

    def write(self, record: "VideoTimeline | Failure") -> None:
        """Add a video; failures have no place in these documents."""
        if isinstance(record, Failure):
            return
        if self._form in DOCUMENTS:
            thin = replace(record.series, times_seconds=record.series.times_seconds[:0])
            self._videos.append(replace(record, series=thin))
            return
        from hiera_cli.tasks.timeline.formats import WRITERS
        from hiera_cli.tasks.timeline.interchange import to_elan

        text = to_elan(record) if self._form == "elan" else WRITERS[self._form](record)
        place = self._out
        if place is not None and is_folder(place):
            with output_errors(place):
                place.mkdir(parents=True, exist_ok=True)
            place /= self._names.name(Path(record.path).stem, SHEETS[self._form])
        _put(place, text)

    def __exit__(self, kind: object, *_: object) -> None:
        if self._form in DOCUMENTS and kind is None:
            from hiera_cli.tasks.timeline.interchange import WRITERS

            _put(self._out, WRITERS[self._form](self._videos))


def _put(place: Path | None, text: str) -> None:
    if place is None:
        sys.stdout.write(text)
    else:
        write_text(place, text)


class SecondWriter:
    """Writes a CSV row for every second: path, second, best label and score, then every class."""

    def __init__(self, path: Path | None, labels: Sequence[str]) -> None:
        from hiera_cli.tasks.timeline.per_second import PerSecond

        self._path, self._labels = path, labels
        self._seconds = PerSecond()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        if self._path is not None:
            part = self._stack.enter_context(replacing(self._path))
            stream: IO[str] = self._stack.enter_context(
                part.open("w", encoding="utf-8", errors="backslashreplace", newline="")
            )
            self._csv = csv.writer(stream, lineterminator="\n")
            self._csv.writerow(["path", "second", "label", "score", *self._labels])
        return self

    def take(self, window: Any) -> None:
        """Add a window."""
        if self._path is not None:
            self._write(self._seconds.push(window))

    def _write(self, seconds: Iterator[Any]) -> None:
        for row in seconds:
            best = int(row.scores.argmax())
            values = [f"{value:.6f}" for value in row.scores]
            self._csv.writerow([row.path, row.second, self._labels[best], values[best], *values])

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is None and self._path is not None:
            self._write(self._seconds.finish())
        if not isinstance(error, OSError):
            self._stack.__exit__(kind, error, trace)
            return
        with suppress(OSError, OutputError):  # of somebody else, such as a closed pipe on stdout
            self._stack.__exit__(kind, error, trace)


def film_place(place: Path, video: str, names: FreshNames) -> Path:
    """Where the film of a video goes: the file asked for, or a new one in the folder asked for.

    Raises:
        UsageError: that is the video itself.
        OutputError: the folder cannot be made.
    """
    if is_folder(place):
        with output_errors(place):
            place.mkdir(parents=True, exist_ok=True)
        place /= names.name(Path(video).stem, ".mp4")
    if place.exists() and place.samefile(video):
        raise UsageError(f"'{place}' is the video itself", hint="choose another --annotate")
    return place


class TimelineFiles:
    """Films, clips and plots of the timelines.

    Args:
        engine: what decoding may cost.
        annotate: a film, or a folder for films.
        save_clips: folder for a file a segment.
        plots: pictures and pages of all videos.

    Attributes:
        exit_code: 3 once a video could not be read again.
    """

    def __init__(
        self,
        engine: EngineOptions,
        *,
        annotate: Path | None,
        save_clips: Path | None,
        plots: Sequence[Path],
    ) -> None:
        self._engine, self._annotate, self._save_clips = engine, annotate, save_clips
        self._plots = plots
        self._names = FreshNames()
        self._videos: list[VideoTimeline] = []
        self.exit_code = 0

    def add(self, video: "VideoTimeline") -> Iterator[object]:
        """Write what belongs to one video; yields as it goes."""
        if self._plots:
            self._videos.append(video)
        try:
            if self._annotate is not None:
                yield from self._film(video, self._annotate)
            if self._save_clips is not None:
                yield from self._clips(video, self._save_clips)
        except MediaError as error:
            self.exit_code = SOME_FAILED
            console.show_failure(Failure(video.path, error.kind, error.message))

    def _film(self, video: "VideoTimeline", place: Path) -> Iterator[object]:
        from hiera_cli.report.overlay import Overlay
        from hiera_cli.video.info import Limits
        from hiera_cli.video.rewrite import rewrite_video

        place = film_place(place, video.path, self._names)
        limits = Limits.of(self._engine)
        yield from rewrite_video(video.info, place, draw=Overlay(video).draw, limits=limits)

    def _clips(self, video: "VideoTimeline", folder: Path) -> Iterator[object]:
        from hiera_cli.video.cut import Cut, cut_video
        from hiera_cli.video.info import Limits

        with output_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        source = Path(video.path)
        suffix = source.suffix.lower() if source.suffix.lower() in FILMS else ".mkv"
        cuts = []
        for segment in video.segments:
            stem = f"{source.stem}_{segment.start_seconds:08.2f}_{segment.label}"
            place = folder / self._names.name(stem.replace(" ", "_"), suffix)
            cuts.append(Cut(segment.start_seconds, segment.end_seconds, place))
        yield from cut_video(video.info, cuts, limits=Limits.of(self._engine))

    def finish(self) -> None:
        """Draw the plots."""
        from hiera_cli.video.info import Limits

        limits = Limits.of(self._engine)
        for path in self._plots:
            if path.suffix.lower() == ".png":
                from hiera_cli.report.timeline_plot import draw_timelines

                draw_timelines(self._videos, path, limits=limits)
            else:
                from hiera_cli.report.timeline_page import write_timeline_page

                write_timeline_page(self._videos, path, limits=limits)
