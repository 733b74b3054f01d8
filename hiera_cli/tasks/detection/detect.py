"""Who does what, where, in videos: boxes linked into tracks, and each track's actions over time."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt

from hiera_cli.detection.action_scores import ActionScorer
from hiera_cli.detection.moments import Floats, Moment
from hiera_cli.errors import Failure, MediaError
from hiera_cli.inputs import InputPath
from hiera_cli.tasks.detection.completeness import best_share
from hiera_cli.tasks.detection.finder import Finder
from hiera_cli.tasks.detection.given import BoxFile
from hiera_cli.tasks.detection.linking import link
from hiera_cli.tasks.detection.options import DetectOptions
from hiera_cli.tasks.detection.tracks import TimedBox, Track
from hiera_cli.video.clips import ClipReader
from hiera_cli.video.decode import VideoInfo, probe
from hiera_cli.video.info import Limits
from hiera_cli.video.protocols import Protocol

Labelled = list[tuple[str, TimedBox]]


@dataclass(frozen=True, slots=True)
class ActionSegment:
    """An action of a track.

    Attributes:
        start_seconds, end_seconds: from the first to the last instant at which it was told, half
            a hop before and after, within the track.
        label: the action.
        score: mean over those instants.
    """

    start_seconds: float
    end_seconds: float
    label: str
    score: float


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """A thing or person in a video.

    Attributes:
        path: of the video.
        track: its number in the video, from 0.
        label: class of the boxes.
        boxes: ascending in time.
        actions: sorted by start; empty without an action model.
    """

    path: str
    track: int
    label: str
    boxes: tuple[TimedBox, ...]
    actions: tuple[ActionSegment, ...]


@dataclass(frozen=True, eq=False, slots=True)
class VideoTracks:
    """All tracks of a video.

    Attributes:
        path: of the video.
        info: its size, length and times.
        tracks: what was followed.
        shares: for each person of the true boxes, the share that the best track follows.
    """

    path: str
    info: VideoInfo
    tracks: tuple[TrackRecord, ...]
    shares: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class Tracker:
    """Follows what is in videos.

    Args:
        options: thresholds and rates.
        detector: finds boxes, unless they are given.
        given: a file's boxes, where no detector finds them.
        scorer: tells actions; None: nobody does.
        truth: true boxes, numbered by person, to measure tracks by.
    """

    options: DetectOptions
    detector: Finder | None = None
    given: BoxFile | None = None
    scorer: ActionScorer | None = None
    truth: BoxFile | None = None

    def follow(
        self, files: Iterable[InputPath], *, limits: Limits, isolate: bool
    ) -> Iterator[VideoTracks | Failure]:
        """The tracks of each video in order, or why there are none.

        A video without boxes in the file has no tracks.
        """
        with closing(ClipReader(isolate=isolate, limits=limits)) as reader:
            for file in files:
                try:
                    yield self._follow(reader, file.path, limits)
                except MediaError as error:
                    yield Failure(file.path, error.kind, error.message)

    def _follow(self, reader: ClipReader, path: str, limits: Limits) -> VideoTracks:
        info = probe(path, limits=limits)
        if self.detector is None:
            tracks = link(self._given_boxes(path, info), self.options.linking)
        else:
            tracks = link(self._found_boxes(self.detector, reader, path), self.options.linking)
        actions = self._actions(reader, path, info, tracks)
        records = (
            TrackRecord(path, number, track.label, track.boxes, tuple(acted))
            for number, (track, acted) in enumerate(zip(tracks, actions, strict=True))
        )
        shares = tuple(self._shares(self.truth, path, info, tracks)) if self.truth else ()
        return VideoTracks(path, info, tuple(records), shares)

    def _given_boxes(self, path: str, info: VideoInfo) -> list[Labelled]:
        """The file's boxes of a video, by instant, in pixels."""
        given = [] if self.given is None else self.given.of(path, info)
        kept = [(g.label, g.box) for g in given]
        return [list(group) for _, group in groupby(kept, key=lambda pair: pair[1].time_seconds)]

    def _shares(
        self, truth: BoxFile, path: str, info: VideoInfo, tracks: Sequence[Track]
    ) -> Iterator[float]:
        """For each person of the true boxes, how much of them the best track follows."""
        people: dict[int | None, list[TimedBox]] = {}
        for given in truth.of(path, info):
            people.setdefault(given.track, []).append(given.box)
        for boxes in people.values():
            yield best_share(boxes, tracks, reach=self.options.max_gap)

    def _found_boxes(self, detector: Finder, reader: ClipReader, path: str) -> Iterator[Labelled]:
        """What the detector finds, frame by frame."""
        protocol = Protocol(
            "frames",
            num_clips=None,
            num_crops=1,
            num_frames=1,
            frame_stride=1,
            hop_seconds=1 / self.options.rate,
        )

        def whole(_: int, rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
            return rgb

        clips = reader.read(path, protocol, view_of=whole, shared=True)
        with closing(clips):
            for plan, (rgb,) in clips:
                yield detector.boxes(rgb, plan.start_seconds)

    def _actions(
        self, reader: ClipReader, path: str, info: VideoInfo, tracks: Sequence[Track]
    ) -> list[list[ActionSegment]]:
        """What each track does, from one pass over the video."""
        if self.scorer is None or not tracks:
            return [[] for _ in tracks]
        hop, start = self.options.action_hop, info.start_seconds
        size = np.array([info.width, info.height] * 2)
        told: list[list[tuple[float, Floats]]] = [[] for _ in tracks]
        moments: list[Moment] = []
        whose: list[list[int]] = []
        for instant in np.arange(hop / 2, info.duration_seconds + hop / 2, hop).tolist():
            seen = [
                (number, box)
                for number, track in enumerate(tracks)
                if (box := box_at(track.boxes, start + instant, within=hop / 2)) is not None
            ]
            if seen:
                moments.append(Moment(instant, np.array([b.corners for _, b in seen]) / size))
                whose.append([number for number, _ in seen])
        scored = self.scorer.score(reader, path, moments) if moments else ()
        for moment, numbers, scores in zip(moments, whose, scored, strict=True):
            for number, row in zip(numbers, scores, strict=True):
                told[number].append((start + moment.seconds, row))
        labels = self.scorer.loaded.labels
        return [segments(rows, labels, hop=hop, least=self.options.action_score) for rows in told]


def box_at(boxes: Sequence[TimedBox], instant: float, *, within: float) -> TimedBox | None:
    """The box of a track that is nearest to an instant, if one is near enough."""
    nearest = min(boxes, key=lambda box: abs(box.time_seconds - instant))
    return nearest if abs(nearest.time_seconds - instant) <= within + 1e-6 else None


def segments(
    told: Sequence[tuple[float, Floats]], labels: Sequence[str], *, hop: float, least: float
) -> list[ActionSegment]:
    """Instants in a row at which an action scores enough, as one stretch of time each."""
    found = []
    for index, label in enumerate(labels):
        stretch: list[tuple[float, float]] = []
        for instant, scores in [*told, (np.inf, np.full(len(labels), -np.inf))]:
            score = float(scores[index])
            if stretch and (score < least or instant - stretch[-1][0] > 1.5 * hop):
                first, last = stretch[0][0] - hop / 2, stretch[-1][0] + hop / 2
                mean = float(np.mean([value for _, value in stretch]))
                found.append(ActionSegment(first, last, label, mean))
                stretch = []
            if score >= least:
                stretch.append((instant, score))
    return sorted(found, key=lambda segment: (segment.start_seconds, -segment.score))
