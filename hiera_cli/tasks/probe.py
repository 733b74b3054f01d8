"""What is in each video file, and which frames a protocol would take; no model, no torch."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice
from os import PathLike
from typing import Any

from hiera_cli.errors import Failure, MediaError
from hiera_cli.inputs import InputPath, expand_inputs, input_names
from hiera_cli.options import ProbeOptions, with_changes
from hiera_cli.video.decode import Limits, VideoInfo
from hiera_cli.video.decode import probe as probe_file
from hiera_cli.video.isolation.parent import DecodeProcess
from hiera_cli.video.local_file import local_file
from hiera_cli.video.protocols import Protocol, make_protocol
from hiera_cli.video.sampling import ClipPlan, plan_clips


@dataclass(frozen=True, slots=True)
class View:
    """One view that the protocol would take.

    Attributes:
        clip: index of the clip.
        crop: index of the crop; views of one clip differ in nothing else.
        frame_indices: frames in display order, counted from 0.
        times_seconds: when those frames are shown, on the container's clock.
    """

    clip: int
    crop: int
    frame_indices: tuple[int, ...]
    times_seconds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ProbeRecord:
    """What is in a video file.

    Attributes:
        path: the file, as found.
        container: FFmpeg's name of the format.
        codec: FFmpeg's name of the codec.
        pixel_format: FFmpeg's name, of the first frame.
        width: as displayed, in pixels.
        height: as displayed, in pixels.
        rotation: degrees clockwise that were applied: 0, 90, 180 or 270.
        num_frames: frames that decode.
        fps: average frame rate.
        variable_frame_rate: whether frames are shown for unequal times.
        duration_seconds: from the first frame to the end of the last.
        start_seconds: when the first frame is shown, on the container's clock.
        warnings: what is wrong with the file although it can be used.
        views: what the protocol would take.
    """

    path: str
    container: str
    codec: str
    pixel_format: str
    width: int
    height: int
    rotation: int
    num_frames: int
    fps: float
    variable_frame_rate: bool
    duration_seconds: float
    start_seconds: float
    warnings: tuple[str, ...]
    views: tuple[View, ...]


def probe(
    inputs: str | PathLike[str] | Iterable[str | PathLike[str]],
    *,
    options: ProbeOptions | None = None,
    **changes: Any,
) -> Iterator[ProbeRecord | Failure]:
    """Look into video files.

    Args:
        inputs: one file, folder, glob or `@list`, or several.
        options: the protocol whose views are listed, and limits.
        changes: single fields of `ProbeOptions` by name, such as `protocol="paper"`.

    Yields:
        for each file in order a `ProbeRecord`, or a `Failure` that says why there is none.

    Raises:
        UsageError: an option that cannot mean anything.
    """
    chosen = with_changes(options or ProbeOptions(), changes)
    return probe_files(expand_inputs(input_names(inputs)), options=chosen)


def probe_files(
    files: Iterable[InputPath], *, options: ProbeOptions | None = None
) -> Iterator[ProbeRecord | Failure]:
    """As `probe`, on files that were already expanded."""
    chosen = options or ProbeOptions()
    protocol = make_protocol(
        chosen.protocol, clips=chosen.clips, crops=chosen.crops, hop_seconds=chosen.hop
    )
    return _records(files, chosen, protocol)


def _records(
    files: Iterable[InputPath], options: ProbeOptions, protocol: Protocol
) -> Iterator[ProbeRecord | Failure]:
    rest = iter(files)
    first = list(islice(rest, 2))
    isolate = len(first) > 1 if options.isolate is None else options.isolate
    limits = Limits.of(options)
    with closing(DecodeProcess()) as process:
        look = process.probe if isolate else probe_file
        for file in chain(first, rest):
            try:
                with local_file(file.path) as path:
                    info = look(path, count=options.count, limits=limits)
            except MediaError as error:
                yield Failure(file.path, error.kind, error.message)
            else:
                yield _record(file.path, info, protocol)


def _record(path: str, info: VideoInfo, protocol: Protocol) -> ProbeRecord:
    return ProbeRecord(
        path=path,
        container=info.container,
        codec=info.codec,
        pixel_format=info.pixel_format,
        width=info.width,
        height=info.height,
        rotation=info.rotation,
        num_frames=info.num_frames,
        fps=info.fps,
        variable_frame_rate=info.variable_frame_rate,
        duration_seconds=info.duration_seconds,
        start_seconds=info.start_seconds,
        warnings=info.warnings,
        views=tuple(_views(plan_clips(info.timeline, protocol), protocol.num_crops)),
    )


def _views(clips: Iterable[ClipPlan], num_crops: int) -> Iterator[View]:
    for clip in clips:
        for crop_index in range(num_crops):
            yield View(clip.clip_index, crop_index, clip.frame_indices, clip.times_seconds)
