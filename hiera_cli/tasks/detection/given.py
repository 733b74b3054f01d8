"""Boxes that a file gives, at their times in a video: AVA's CSV, or the tracks of `hiera detect`.

AVA's boxes are fractions of the frame at whole seconds or frame numbers; the tracks are JSON lines
with pixels at presentation times. Which of the two a file is, its first character says.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from hiera_cli.datasets.ava import PIXELS, ActionBox, boxes_by_video
from hiera_cli.errors import MediaError, NoInputError, UsageError
from hiera_cli.tasks.detection.options import BoxTimes
from hiera_cli.tasks.detection.tracks import TimedBox
from hiera_cli.video.info import VideoInfo

PERSON = "person"  # what a file of boxes without classes holds
SLACK_PIXELS = 1.0  # a detector's corners may lie this far outside
_CORNERS = ("x1", "y1", "x2", "y2")


@dataclass(frozen=True, slots=True)
class GivenBox:
    """A box of a file.

    Attributes:
        track: number of the person or track in the video; None where the file has none.
        label: class.
        box: where and when, in pixels and presentation time.
    """

    track: int | None
    label: str
    box: TimedBox


class BoxFile(Protocol):
    """The boxes of many videos."""

    def of(self, path: str, info: VideoInfo) -> list[GivenBox]:
        """The boxes of a video, ascending in time.

        Raises:
            MediaError: boxes after its end or outside its frames: the file is another video's.
        """

    def holds(self, path: str) -> bool:
        """Whether there are boxes of a video."""

    def num_unused(self, paths: Iterable[str]) -> int:
        """How many videos of the file are none of these."""

    def is_numbered(self) -> bool:
        """Whether every box belongs to a numbered track or person."""


def read_boxes(path: Path, times: BoxTimes) -> BoxFile:
    """Read and check a file of boxes.

    Args:
        path: AVA's CSV, or JSON lines that `hiera detect` wrote.
        times: what the timestamps of a CSV are.

    Raises:
        UsageError: the file cannot be read, or a row cannot be meant; the message names the line.
        NoInputError: no box in the file.
    """
    if _first_character(path) == "{":
        videos = _read_tracks(path)
        paths: dict[str, list[str]] = {}
        for name in videos:
            paths.setdefault(Path(name).name, []).append(name)
        return _TrackFile(videos, paths)
    return _CsvFile(boxes_by_video(path), times)


def _first_character(path: Path) -> str:
    try:
        with path.open(encoding="utf-8-sig") as file:
            return next((line.lstrip()[0] for line in file if line.strip()), "")
    except OSError as error:
        raise UsageError(f"cannot read '{path}': {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"'{path}' is no text: {error}") from error


@dataclass(frozen=True, slots=True)
class _CsvFile:
    """AVA's rows by video id, which is a file's name with or without its suffix."""

    videos: Mapping[str, Sequence[ActionBox]]
    times: BoxTimes

    def of(self, path: str, info: VideoInfo) -> list[GivenBox]:
        boxes = [box for name in _ids(path) for box in self.videos.get(name, ())]
        size = np.array([info.width, info.height] * 2)
        given = []
        for box in sorted(boxes, key=lambda b: b.timestamp):
            x1, y1, x2, y2 = (np.array(box.corners) * size).tolist()
            score = 1.0 if box.score is None else box.score
            timed = TimedBox(self._time(box, info), x1, y1, x2, y2, score)
            given.append(GivenBox(box.person, PERSON, timed))
        return given

    def holds(self, path: str) -> bool:
        return any(name in self.videos for name in _ids(path))

    def num_unused(self, paths: Iterable[str]) -> int:
        return len(self.videos.keys() - {name for path in paths for name in _ids(path)})

    def is_numbered(self) -> bool:
        return all(box.person is not None for boxes in self.videos.values() for box in boxes)

    def _time(self, box: ActionBox, info: VideoInfo) -> float:
        """When a box of the file is shown.

        Raises:
            MediaError: after the end of the video.
        """
        if self.times == "frames":
            if box.timestamp >= info.num_frames:
                message = f"boxes at frame {box.timestamp} of {info.num_frames}"
                raise MediaError("corrupt", message)
            return float(info.timeline.times_seconds[box.timestamp])
        if box.timestamp > info.duration_seconds:
            message = f"boxes at second {box.timestamp} of {info.duration_seconds:.1f}"
            raise MediaError("corrupt", message)
        return info.start_seconds + box.timestamp


def _ids(path: str) -> tuple[str, ...]:
    return (Path(path).stem, Path(path).name)


@dataclass(frozen=True, slots=True)
class _TrackFile:
    """Boxes by the path of their video; the file's name serves where the path is another now."""

    videos: Mapping[str, Sequence[GivenBox]]
    paths: Mapping[str, Sequence[str]]  # by file name

    def of(self, path: str, info: VideoInfo) -> list[GivenBox]:
        boxes = [box for name in self._names(path) for box in self.videos[name]]
        for given in boxes:
            _check_inside(given.box, info)
        return sorted(boxes, key=lambda given: given.box.time_seconds)

    def holds(self, path: str) -> bool:
        return bool(self._names(path))

    def num_unused(self, paths: Iterable[str]) -> int:
        return len(self.videos.keys() - {name for path in paths for name in self._names(path)})

    def is_numbered(self) -> bool:
        return True

    def _names(self, path: str) -> Sequence[str]:
        if path in self.videos:
            return [path]
        found = self.paths.get(Path(path).name, ())
        return found if len(found) == 1 else ()  # which of several is meant, nobody knows


def _check_inside(box: TimedBox, info: VideoInfo) -> None:
    """Refuse a box that the video cannot have.

    Raises:
        MediaError: outside the frame, or before or after the video.
    """
    shown = ", ".join(f"{value:g}" for value in box.corners)
    limit = (info.width + SLACK_PIXELS, info.height + SLACK_PIXELS) * 2
    if min(box.corners) < -SLACK_PIXELS or any(
        value > most for value, most in zip(box.corners, limit, strict=True)
    ):
        size = f"{info.width}x{info.height}"
        raise MediaError("corrupt", f"the box {shown} reaches outside the frame of {size} pixels")
    seconds = box.time_seconds - info.start_seconds
    if not -1e-3 <= seconds <= info.duration_seconds + 1e-3:
        message = f"boxes at second {seconds:.1f} of {info.duration_seconds:.1f}"
        raise MediaError("corrupt", message)


def _read_tracks(path: Path) -> dict[str, list[GivenBox]]:
    """Boxes by video of the JSON lines of `hiera detect`; failures in it are passed over."""
    videos: dict[str, list[GivenBox]] = {}
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                what = f"{path}, line {number}"
                _add_track(videos, _parsed(line, what), what)
    if not videos:
        raise NoInputError(f"no boxes in '{path}'")
    return videos


def _parsed(line: str, what: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError as error:
        raise UsageError(f"{what}: no JSON: {error}", hint="give what detect wrote") from error
    if not isinstance(entry, dict):
        raise UsageError(f"{what}: no track", hint="give what `hiera detect -f jsonl` wrote")
    return entry


def _add_track(videos: dict[str, list[GivenBox]], entry: dict[str, Any], what: str) -> None:
    if "error" in entry:
        return
    try:
        path, track, label = str(entry["path"]), int(entry["track"]), str(entry["label"])
        boxes = [_timed(box, what) for box in entry["boxes"]]
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"{what}: no track: {type(error).__name__}: {error}",
            hint="give what `hiera detect -f jsonl` wrote",
        ) from error
    if boxes and max(value for box in boxes for value in box.corners) < PIXELS:
        raise UsageError(
            f"{what}: the boxes look like fractions of the frame",
            hint="tracks have pixels; boxes as fractions belong into a CSV of AVA's shape",
        )
    videos.setdefault(path, []).extend(GivenBox(track, label, box) for box in boxes)


def _timed(entry: Mapping[str, Any], what: str) -> TimedBox:
    seconds, x1, y1, x2, y2, score = (
        float(entry[name]) for name in ("time_seconds", *_CORNERS, "score")
    )
    values = (seconds, x1, y1, x2, y2, score)
    shown = ", ".join(f"{value:g}" for value in values[1:5])
    if not all(map(math.isfinite, values)):
        raise UsageError(f"{what}: the box {shown} at {seconds:g} s is not finite")
    if x2 <= x1 or y2 <= y1:
        raise UsageError(f"{what}: the box {shown} has no area")
    return TimedBox(*values)
