"""Features of boxes and tracks, as rows of a table: for re-identification and retrieval.

Boxes come from a file. The frames around each instant are seen whole, at the shape of the picture,
and each box is looked up in a stage's map (RoIAlign, 7 x 7 places); what the network sees around a
box has a say in its feature, and boxes of one instant cost one pass.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np

from hiera_cli.checkpoints.transfer import file_sha256
from hiera_cli.detection.box_features import BoxEncoder, Features
from hiera_cli.detection.moments import Moment
from hiera_cli.errors import Failure, MediaError, UsageError
from hiera_cli.inference.engine import Engine
from hiera_cli.inputs import InputPath
from hiera_cli.model.action_head import ROI_SIZE
from hiera_cli.options import EngineOptions
from hiera_cli.tables import Column, RowWriter, Table
from hiera_cli.tasks.detection.given import BoxFile, GivenBox, read_boxes
from hiera_cli.tasks.features.extract import feature_settings, feature_shape, open_feature_engine
from hiera_cli.tasks.features.options import BoxOptions, FeatureOptions
from hiera_cli.tasks.features.writer import VideoFeatures, overflow
from hiera_cli.video.clips import ClipReader
from hiera_cli.video.decode import VideoInfo, probe
from hiera_cli.video.local_file import local_file

NO_TRACK = -1  # in the table, where the file of boxes has no numbers


@dataclass(frozen=True, eq=False, slots=True)
class BoxFeature:
    """A row: a box at an instant, or the mean over the boxes of a track.

    Attributes:
        start_seconds, end_seconds: of the frames that were looked at.
        given: the box, its track and its class; of a track its mean box.
        feature: (C,), or (7, 7, C) unpooled; float32.
        num_boxes: that the row stands for.
    """

    start_seconds: float
    end_seconds: float
    given: GivenBox
    feature: Features
    num_boxes: int = 1


@dataclass(frozen=True, eq=False, slots=True)
class BoxWorkers:
    """Computes features of boxes in this process.

    Attributes:
        engine: the model, and how videos are read.
        options: the user's choices.
        features: which features are taken.
        boxes: which rows there are.
        file: the boxes.
    """

    engine: Engine
    options: EngineOptions
    features: FeatureOptions
    boxes: BoxOptions
    file: BoxFile

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the rows; unpooled features are stored flat."""
        return (
            Column("path", "string"),
            Column("clip_index", "int32"),
            Column("start_seconds", "float64"),
            Column("end_seconds", "float64"),
            Column("track", "int32"),
            Column("label", "string"),
            Column("time_seconds", "float64"),
            *(Column(name, "float32") for name in ("x1", "y1", "x2", "y2", "score")),
            Column("num_boxes", "int32"),
            Column("feature", self.features.feature_dtype, math.prod(self._shape)),
        )

    @property
    def settings(self) -> Mapping[str, Any]:
        """All that the values in the rows depend on, as JSON."""
        assert self.boxes.boxes is not None
        return {
            **feature_settings(self.engine, self.features, self.options),
            "feature_shape": list(self._shape),
            "boxes": {
                "sha256": file_sha256(self.boxes.boxes),
                "times": self.boxes.box_times,
                "per": self.boxes.per,
            },
        }

    @property
    def _shape(self) -> tuple[int, ...]:
        channels = feature_shape(self.engine.loaded.model.config, self.features.layer, "max")
        return channels if self.features.pool != "none" else (ROI_SIZE, ROI_SIZE, *channels)

    def run(self, todo: Sequence[InputPath], job: Table) -> Iterator[VideoFeatures | Failure]:
        """Write the features of the boxes of videos into a table."""
        encoder = BoxEncoder(self.engine, self.features.layer, self.features.pool)
        loader = self.engine.loader
        reader = ClipReader(
            isolate=len(todo) > 1 if loader.isolate is None else loader.isolate,
            limits=loader.limits,
            square_pixels=loader.square_pixels,
        )
        with job.writer() as writer, closing(reader):
            for source in todo:
                outcome = self._write(source, encoder, reader, writer)
                if isinstance(outcome, Failure):
                    writer.fail(outcome)
                else:
                    writer.commit(outcome.path)
                yield outcome

    def _write(
        self, source: InputPath, encoder: BoxEncoder, reader: ClipReader, writer: RowWriter
    ) -> VideoFeatures | Failure:
        """Append the rows of a video; how many, or why none."""
        num_rows, limit = 0, float(np.finfo(self.features.feature_dtype).max)
        try:
            with local_file(source.path) as path:
                info = probe(path, limits=self.engine.loader.limits)
            found = self._found(source.path, info, encoder, reader)
            for row in mean_of_tracks(found) if self.boxes.per == "track" else found:
                if not np.all(np.abs(row.feature) <= limit):  # false for NaN as well
                    return overflow(source.name, self.features)
                writer.append(_values(source.name, num_rows, row, self.features.feature_dtype))
                num_rows += 1
        except MediaError as error:
            return Failure(source.name, error.kind, error.message)
        return VideoFeatures(source.name, num_rows, info.warnings)

    def _found(
        self, path: str, info: VideoInfo, encoder: BoxEncoder, reader: ClipReader
    ) -> Iterator[BoxFeature]:
        """The boxes of a video in order of time."""
        size = np.array([info.width, info.height] * 2)
        instants = thinned(self.file.of(path, info), self.options.hop or 0.0)
        moments = [
            Moment(seconds - info.start_seconds, np.array([g.box.corners for g in given]) / size)
            for seconds, given in instants
        ]
        seen = encoder.encode(reader, path, moments) if moments else iter(())
        for (_, given), at in zip(instants, seen, strict=True):
            for box, feature in zip(given, at.features, strict=True):
                yield BoxFeature(at.start_seconds, at.end_seconds, box, feature)


def thinned(given: Sequence[GivenBox], hop: float) -> list[tuple[float, list[GivenBox]]]:
    """Boxes by instant, ascending; instants less than `hop` seconds after the last are left out."""
    kept: list[tuple[float, list[GivenBox]]] = []
    for seconds, group in groupby(given, key=lambda g: g.box.time_seconds):
        if not kept or seconds - kept[-1][0] >= hop - 1e-6:
            kept.append((seconds, list(group)))
    return kept


def mean_of_tracks(rows: Iterator[BoxFeature]) -> Iterator[BoxFeature]:
    """One row a track: the mean of its features and boxes, in the order of their first boxes."""
    sums: dict[int | None, BoxFeature] = {}
    for row in rows:
        before = sums.get(row.given.track)
        sums[row.given.track] = row if before is None else _sum(before, row)
    for total in sums.values():
        num, box = total.num_boxes, total.given.box
        mean = replace(
            box,
            time_seconds=box.time_seconds / num,
            x1=box.x1 / num,
            y1=box.y1 / num,
            x2=box.x2 / num,
            y2=box.y2 / num,
            score=box.score / num,
        )
        feature = total.feature / np.float32(num)
        yield replace(total, given=replace(total.given, box=mean), feature=feature)


def _sum(one: BoxFeature, two: BoxFeature) -> BoxFeature:
    a, b = one.given.box, two.given.box
    box = replace(
        a,
        time_seconds=a.time_seconds + b.time_seconds,
        x1=a.x1 + b.x1,
        y1=a.y1 + b.y1,
        x2=a.x2 + b.x2,
        y2=a.y2 + b.y2,
        score=a.score + b.score,
    )
    return BoxFeature(
        start_seconds=min(one.start_seconds, two.start_seconds),
        end_seconds=max(one.end_seconds, two.end_seconds),
        given=replace(one.given, box=box),
        feature=one.feature + two.feature,
        num_boxes=one.num_boxes + two.num_boxes,
    )


def _values(path: str, index: int, row: BoxFeature, dtype: str) -> dict[str, Any]:
    """A row of the table, as values of length one by column name."""
    given, box = row.given, row.given.box
    return {
        "path": [path],
        "clip_index": [index],
        "start_seconds": [row.start_seconds],
        "end_seconds": [row.end_seconds],
        "track": [NO_TRACK if given.track is None else given.track],
        "label": [given.label],
        "time_seconds": [box.time_seconds],
        "x1": [box.x1],
        "y1": [box.y1],
        "x2": [box.x2],
        "y2": [box.y2],
        "score": [box.score],
        "num_boxes": [row.num_boxes],
        "feature": row.feature.reshape(1, -1).astype(dtype),
    }


def read_box_file(boxes: BoxOptions) -> BoxFile:
    """The boxes that rows are made for.

    Raises:
        UsageError: the file cannot be read or meant, or has no tracks where rows are for tracks.
        NoInputError: no box in the file.
    """
    assert boxes.boxes is not None
    file = read_boxes(boxes.boxes, boxes.box_times)
    if boxes.per == "track" and not file.is_numbered():
        raise UsageError(
            f"{boxes.boxes} numbers no tracks",
            hint="link its boxes first: hiera detect VIDEO... --boxes FILE -o tracks.jsonl",
        )
    return file


@contextmanager
def open_box_workers(
    file: BoxFile, boxes: BoxOptions, options: EngineOptions, features: FeatureOptions, /
) -> Iterator[BoxWorkers]:
    """What computes features of boxes on this machine.

    Raises:
        UsageError: an option that means nothing for boxes.
        WeightsError: the model or its weights are not available or do not fit.
    """
    check_meaning(options, features)
    yield BoxWorkers(open_feature_engine(options, features), options, features, boxes, file)


def check_meaning(options: EngineOptions, features: FeatureOptions) -> None:
    """Refuse options that mean nothing for boxes.

    Raises:
        UsageError: the message names the flag.
    """
    refused = {
        "--layer stages": features.layer == "stages",
        "--protocol": options.protocol is not None,
        "--clips": options.clips is not None,
        "--crops": options.crops is not None,
        "--backend": options.backend != "torch",
        "--fps": features.fps is not None,
        "--scores": features.scores,
        "--export": features.export is not None,
    }
    for flag, is_given in refused.items():
        if is_given:
            raise UsageError(
                f"{flag} has no meaning with --boxes",
                hint="a clip is taken around each instant that has boxes; --hop SECONDS thins them",
            )
