"""Timelines of videos: dense windows through the engine, smoothed and merged into segments."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hiera_cli.errors import Failure, UsageError
from hiera_cli.inference.backend import Wanted
from hiera_cli.inference.engine import ClipResult, Engine, VideoResult
from hiera_cli.inference.open import open_engine
from hiera_cli.inputs import InputPath, expand_inputs, input_names
from hiera_cli.options import EngineOptions, with_changes
from hiera_cli.tasks.timeline.labelling import Labeller, is_multi_label, make_labeller
from hiera_cli.tasks.timeline.options import HOPS_A_WINDOW, TimelineOptions
from hiera_cli.tasks.timeline.segments import Segment, Span
from hiera_cli.tasks.timeline.series import Series, SeriesWriter
from hiera_cli.video.info import VideoInfo
from hiera_cli.video.sampling import ClipPlan

DEFAULT_PROTOCOL: Final = "dense"
IMAGE_HOP_SECONDS = 1.0
WHOLE_WINDOW = 0.95  # share of a window that must be there for it to count


@dataclass(frozen=True, eq=False, slots=True)
class WindowScores:
    """One window, as soon as the model has seen it.

    Attributes:
        path: the video.
        center_seconds: the middle of what it shows.
        scores: (K,) class probabilities.
    """

    path: str
    center_seconds: float
    scores: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False, slots=True)
class VideoTimeline:
    """What happens when in one video.

    Attributes:
        path: the video, as found.
        info: what is known about the file.
        labels: the classes of the model.
        segments: in order; of a multi-label model they may overlap.
        series: the scores over time.
        multi_label: whether several labels may hold at once.
    """

    path: str
    info: VideoInfo
    labels: tuple[str, ...]
    segments: tuple[Segment, ...]
    series: Series
    multi_label: bool

    @property
    def start_seconds(self) -> float:
        """When the first frame is shown."""
        return self.info.start_seconds

    @property
    def end_seconds(self) -> float:
        """When the last frame stops being shown."""
        return self.info.start_seconds + self.info.duration_seconds


def timeline(
    inputs: str | PathLike[str] | Iterable[str | PathLike[str]],
    *,
    how: TimelineOptions | None = None,
    options: EngineOptions | None = None,
    **changes: Any,
) -> Iterator[VideoTimeline | Failure]:
    """What happens when in videos.

    Args:
        inputs: one file, folder, glob or `@list`, or several.
        how: smoothing, threshold and labels.
        options: model, hop (default a quarter of a window), device and so on.
        changes: single fields of `EngineOptions` by name, such as `model="camera-motion"`.

    Yields:
        for each video in order a `VideoTimeline`, or a `Failure` that says why there is none.

    Raises:
        UsageError: an option that cannot mean anything.
        WeightsError: the model or its weights are not available or do not fit.
    """
    engine = open_timeline_engine(with_changes(options or EngineOptions(), changes))
    files = expand_inputs(input_names(inputs))
    for record in timeline_files(files, engine, how or TimelineOptions()):
        if not isinstance(record, WindowScores):
            yield record


def open_timeline_engine(options: EngineOptions, **rest: Any) -> Engine:
    """Load the model, with windows that overlap so that boundaries can be told.

    Args:
        options: without a hop, windows start every quarter of a window; for image models every
            second.
        rest: as for `open_engine`.

    Raises:
        UsageError: an option that cannot mean anything, or a protocol without windows.
        WeightsError: the model or its weights are not available or do not fit.
    """
    if options.protocol not in (None, DEFAULT_PROTOCOL) or options.clips is not None:
        raise UsageError("a timeline needs the dense protocol", hint="leave --protocol out")
    engine = open_engine(options, protocol=DEFAULT_PROTOCOL, exact=False, **rest)
    if options.hop is not None:
        return engine
    protocol = engine.loader.protocol
    is_video = engine.loaded.model.config.is_video
    hop = protocol.window_seconds / HOPS_A_WINDOW if is_video else IMAGE_HOP_SECONDS
    dense = replace(protocol, hop_seconds=hop)
    return replace(engine, loader=replace(engine.loader, protocol=dense))


def timeline_files(
    files: Iterable[InputPath], engine: Engine, how: TimelineOptions
) -> Iterator[WindowScores | VideoTimeline | Failure]:
    """As `timeline`, on files that were already expanded and an engine that is open.

    Yields:
        for each video its windows as they are scored, then its timeline or failure.
    """
    chosen = how.chosen_labels(engine.loaded.labels)
    return _timelines(files, engine, how, chosen)


def _timelines(
    files: Iterable[InputPath], engine: Engine, how: TimelineOptions, chosen: frozenset[str]
) -> Iterator[WindowScores | VideoTimeline | Failure]:
    building = _Building(engine, how, chosen)
    under_their_paths = (InputPath(file.path, file.path) for file in files)
    for result in engine.run(under_their_paths, Wanted(scores=True), clips=True):
        if isinstance(result, ClipResult):
            window = building.add(result)
            if window is not None:
                yield window
            continue
        if isinstance(result, Failure):
            yield result
        else:
            yield building.result(result)
        building = _Building(engine, how, chosen)


class _Building:
    """The timeline of one video in the making."""

    def __init__(self, engine: Engine, how: TimelineOptions, chosen: frozenset[str]) -> None:
        self._engine, self._how, self._chosen = engine, how, chosen
        self._labeller: Labeller | None = None
        self._spans: list[Span] = []
        self._series = SeriesWriter()

    def add(self, result: ClipResult) -> WindowScores | None:
        """Take a window, unless it only repeats the last frame of the video."""
        length, clip = self._engine.loader.protocol.window_seconds, result.clip
        if self._labeller is None:
            self._labeller = make_labeller(self._engine, self._how, clip.start_seconds)
        elif not is_whole(clip, length):
            return None
        assert result.scores is not None, "the engine was asked for scores"
        center = center_of(clip)
        self._spans += self._labeller.push(center, result.scores)
        self._series.add(center, result.scores)
        return WindowScores(result.input.path, center, result.scores)

    def result(self, result: VideoResult) -> VideoTimeline:
        """The timeline, when the video has ended."""
        path, info, labels = result.input.path, result.info, self._engine.loaded.labels
        if self._labeller is not None:
            self._spans += self._labeller.finish(info.start_seconds + info.duration_seconds)
        segments = name_spans(self._spans, path=path, labels=labels, chosen=self._chosen)
        return VideoTimeline(
            path=path,
            info=info,
            labels=labels,
            segments=tuple(sorted(segments, key=lambda s: (s.start_seconds, s.end_seconds))),
            series=self._series.result(len(labels)),
            multi_label=is_multi_label(self._engine),
        )


def name_spans(
    spans: Iterable[Span], *, path: str, labels: tuple[str, ...], chosen: frozenset[str]
) -> Iterator[Segment]:
    """The spans that have a label, and a chosen one."""
    for span in spans:
        if span.state is None or span.end_seconds <= span.start_seconds:
            continue
        if labels[span.state] in chosen:
            ends = span.start_seconds, span.end_seconds
            yield Segment(path, *ends, labels[span.state], span.score)


def is_whole(clip: ClipPlan, window_seconds: float) -> bool:
    """Whether a window lies inside its video; one that does not repeats the last frame."""
    return clip.end_seconds - clip.start_seconds >= WHOLE_WINDOW * window_seconds


def center_of(clip: ClipPlan) -> float:
    """The middle of what a window shows, in seconds: between its first and its last frame.

    The frame on display at an instant was taken a little before it, and a window of T frames ends
    with the last of them: half of the window's nominal length would be late by a tenth of a second.
    """
    return (clip.times_seconds[0] + clip.times_seconds[-1]) / 2
