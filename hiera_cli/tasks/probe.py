"""What is in each video file, and which frames a protocol would take; no model, no torch."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hiera_cli.errors import Failure, MediaError
from hiera_cli.inputs import InputPath, expand_inputs
from hiera_cli.video.decode import DEFAULT_LIMITS, Limits, VideoInfo
from hiera_cli.video.decode import probe as probe_file
from hiera_cli.video.sampling import ClipPlan, Protocol, make_protocol, plan_clips

DEFAULT_PROTOCOL = "balanced"


@dataclass(frozen=True, slots=True)
class ProbeOptions:
    """What is asked about the files.

    Attributes:
        protocol: `fast`, `balanced`, `paper` or `dense`: whose views are listed.
        clips: number of clips instead of the protocol's.
        crops: 1 or 3 instead of the protocol's.
        hop: seconds from window to window (`dense` only).
        count: decode everything to count the frames; else trust the container.
        max_pixels: largest frame that is decoded.
        timeout: seconds that decoding one video may take; 0 for no limit.
    """

    protocol: str = DEFAULT_PROTOCOL
    clips: int | None = None
    crops: int | None = None
    hop: float | None = None
    count: bool = True
    max_pixels: int = DEFAULT_LIMITS.max_pixels
    timeout: float = 600.0

    @property
    def limits(self) -> Limits:
        """What one file may cost."""
        return Limits(max_pixels=self.max_pixels, timeout_seconds=self.timeout or None)

    def make_protocol(self) -> Protocol:
        """The protocol with its changes.

        Raises:
            UsageError: a number that cannot be.
        """
        return make_protocol(
            self.protocol, clips=self.clips, crops=self.crops, hop_seconds=self.hop
        )


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
    inputs: str | Iterable[str], *, options: ProbeOptions | None = None
) -> Iterator[ProbeRecord | Failure]:
    """Look into video files.

    Args:
        inputs: one file, folder, glob or `@list`, or several.
        options: the protocol whose views are listed, and limits.

    Yields:
        for each file in order a `ProbeRecord`, or a `Failure` that says why there is none.

    Raises:
        UsageError: an option that cannot mean anything.
    """
    names = [inputs] if isinstance(inputs, str) else inputs
    return probe_files(expand_inputs(names), options=options)


def probe_files(
    files: Iterable[InputPath], *, options: ProbeOptions | None = None
) -> Iterator[ProbeRecord | Failure]:
    """As `probe`, on files that were already expanded."""
    chosen = options or ProbeOptions()
    return _records(files, chosen, chosen.make_protocol())


def _records(
    files: Iterable[InputPath], options: ProbeOptions, protocol: Protocol
) -> Iterator[ProbeRecord | Failure]:
    for file in files:
        try:
            info = probe_file(file.path, count=options.count, limits=options.limits)
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
