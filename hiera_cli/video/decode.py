"""Reading video files: what is in them, and the frames that a protocol takes, in one pass.

A cheap pass over the packets predicts when each frame is shown; the plan is made from that, and
one decoding pass carries it out. In a file that is in good order the pass leaves out what no
sampled frame needs. At any sign of damage everything is decoded instead, and the plan is made
again from the frames that really came out.
"""

import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import VideoReformatter

from hiera_cli.errors import MediaError
from hiera_cli.video.holes import MAX_GAP, Fill, joined
from hiera_cli.video.info import DEFAULT_LIMITS, Limits, VideoInfo
from hiera_cli.video.packets import PacketScan, packet_spans, plan_runs
from hiera_cli.video.passes import DoubtError, all_frames, wanted_frames
from hiera_cli.video.picture import upright_rgb
from hiera_cli.video.protocols import Protocol
from hiera_cli.video.reader import Reader
from hiera_cli.video.sampling import ClipPlan, Timeline, plan_clips
from hiera_cli.video.survey import Survey, no_frames, predicted_timeline

__all__ = [
    "DEFAULT_LIMITS",
    "Event",
    "Finished",
    "Frame",
    "Limits",
    "Planned",
    "VideoInfo",
    "decode_video",
    "probe",
]


@dataclass(frozen=True, slots=True)
class Planned:
    """The clips that will be delivered. A second one means: forget all frames so far."""

    info: VideoInfo
    clips: tuple[ClipPlan, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Frame:
    """One sampled frame.

    Attributes:
        frame_index: position in display order.
        rgb: (H, W, 3) uint8, upright, contiguous; sizes may differ within a video.
    """

    frame_index: int
    rgb: npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event: the final word on the file and the clips."""

    info: VideoInfo
    clips: tuple[ClipPlan, ...]


Event = Planned | Frame | Finished


# Containers that say truly where decoding can start.
_TRUE_KEYS = frozenset({"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"})
# Codecs that start cleanly at a key packet.
_CLEAN_STARTS = frozenset(
    {"h264", "hevc", "vp8", "vp9", "av1", "mpeg4", "mpeg2video", "mpeg1video", "mjpeg", "prores"}
)


def probe(path: str, *, count: bool = True, limits: Limits = DEFAULT_LIMITS) -> VideoInfo:
    """What is in a video file.

    Args:
        path: a local file.
        count: decode everything, so that the number of frames is what really decodes; otherwise
            count packets and decode one frame.
        limits: what it may cost.

    Raises:
        MediaError: the file cannot be read as video.
    """
    with Reader(path, limits) as reader:
        scan = reader.scan()
        survey = Survey()
        decoder, packets = reader.start()
        with closing(all_frames(decoder, packets)) as frames:
            for frame in frames:
                survey.see(frame)
                if not count:
                    break
        if not survey.ticks:
            raise no_frames(scan, decoder.damage)
        if count:
            return _surveyed(reader, survey, scan, decoder.damage)
        survey.warnings.append("not counted: the number of frames is what the container promises")
        return survey.info(reader.video, predicted_timeline(reader.video, scan), scan.damage)


def decode_video(
    path: str,
    protocol: Protocol,
    *,
    limits: Limits = DEFAULT_LIMITS,
    threads: int = 1,
    square_pixels: bool = False,
    fill: Fill | None = None,
) -> Generator[Event, None, None]:
    """The frames that a protocol takes from a video, as a stream of events.

    First `Planned`, then each sampled `Frame` once in display order, at last `Finished`. When
    the file turns out other than its packets promised, a new `Planned` comes and the frames
    start again.

    Args:
        path: a local file.
        protocol: which frames.
        limits: what it may cost.
        threads: for decoding; more than one only while the file is in good order.
        square_pixels: stretch pictures whose pixels are not square.
        fill: has parts of the file be there; None where it has no holes.

    Raises:
        MediaError: the file cannot be read as video.
    """
    if fill is not None:
        try:
            with Reader(path, limits, has_holes=True) as reader:
                job = _Job(reader, reader.scan(), protocol, VideoReformatter(), square_pixels)
                yield from _timed(job.events_despite_holes(threads, fill), reader)
                return
        except DoubtError:
            pass
        except MediaError as error:
            if error.kind == "timeout":
                raise
        fill([(0, os.path.getsize(path))])  # noqa: PTH202 - any bytes
    with Reader(path, limits) as reader:
        # one reformatter a file: swscale sets up tables for each size that cost more than a frame
        job = _Job(reader, reader.scan(), protocol, VideoReformatter(), square_pixels)
        yield from _timed(job.events(threads), reader)


def _timed(events: Iterator[Event], reader: Reader) -> Iterator[Event]:
    """The events; the consumer's time is not the file's."""
    for event in events:
        reader.budget.pause()
        yield event
        reader.budget.resume()


def _surveyed(reader: Reader, survey: Survey, scan: PacketScan, damage: Sequence[str]) -> VideoInfo:
    """The record of a file after every frame of it was decoded."""
    signs = [*reader.video.damage, *scan.damage, *damage]
    if not scan.keys[0] and len(survey.ticks) < scan.num_frames:
        signs.append("it starts between key frames; the frames before the first one are lost")
    return survey.info(reader.video, survey.timeline(reader.video), signs)


@dataclass(frozen=True, eq=False, slots=True)
class _Job:
    """One file, one protocol: the ways to carry it out."""

    reader: Reader
    scan: PacketScan
    protocol: Protocol
    reformatter: VideoReformatter
    square_pixels: bool

    def events(self, threads: int) -> Iterator[Event]:
        """The short cut where it is safe; the long way where it is not, or was not."""
        if self._short_cut_is_safe():
            try:
                yield from self._short_cut(threads)
                return
            except DoubtError:
                pass
        yield from self._long_way()

    def events_despite_holes(self, threads: int, fill: Fill) -> Iterator[Event]:
        """The short cut, with what it needs fetched first.

        Raises:
            DoubtError: it is not safe, or turned out not to be; begin again with the whole file.
        """
        if not self._short_cut_is_safe():
            raise DoubtError("the whole file is needed")
        clips = plan_clips(predicted_timeline(self.reader.video, self.scan), self.protocol)
        spans = packet_spans(self.scan, plan_runs(self.scan, _sampled(clips)))
        if any(start < 0 for start, _ in spans):
            raise DoubtError("it is not known where its packets lie")
        self.reader.budget.pause()
        fill(joined(spans, MAX_GAP))
        self.reader.budget.resume()
        self.reader.forget_packets()
        yield from self._short_cut(threads)

    def _short_cut_is_safe(self) -> bool:
        video = self.reader.video
        return (
            self.scan.regular
            and not video.damage
            and video.container.format.name in _TRUE_KEYS
            and video.stream.codec_context.codec.canonical_name in _CLEAN_STARTS
        )

    def _short_cut(self, threads: int) -> Iterator[Event]:
        """Decode only what the sampled frames need; trust the packets for the rest."""
        timeline = predicted_timeline(self.reader.video, self.scan)
        clips = plan_clips(timeline, self.protocol)
        decoder, packets = self.reader.start(threads, hardware=True)
        survey = Survey()
        with closing(wanted_frames(decoder, packets, self.scan, _sampled(clips))) as frames:
            for index, frame in frames:
                survey.see(frame)
                if len(survey.ticks) == 1:
                    yield Planned(survey.info(self.reader.video, timeline), clips)
                yield Frame(index, self._paint(frame))
        yield Finished(survey.info(self.reader.video, timeline), clips)

    def _long_way(self) -> Iterator[Event]:
        """Decode everything; plan again until the plan fits what came out."""
        timeline = None
        if self.scan.num_frames and not self.scan.damage and self.scan.keys[0]:
            timeline = predicted_timeline(self.reader.video, self.scan)
        # twice is the rule (a plan from the packets, a plan from the frames); a third time is for
        # codecs that conceal damage differently once more
        for _ in range(3):
            clips = plan_clips(timeline, self.protocol) if timeline else ()
            info = yield from self._decode_all(timeline, clips)
            timeline = info.timeline
            found = plan_clips(timeline, self.protocol)
            if _agree(clips, found, self.protocol):
                yield Finished(info, found)
                return
        raise MediaError("corrupt", "it decodes differently each time")

    def _decode_all(
        self, timeline: Timeline | None, clips: tuple[ClipPlan, ...]
    ) -> Generator[Event, None, VideoInfo]:
        """Decode every frame, deliver those of the clips, and tell what was found."""
        wanted = frozenset(_sampled(clips))
        survey = Survey()
        decoder, packets = self.reader.start()
        with closing(all_frames(decoder, packets)) as frames:
            for index, frame in enumerate(frames):
                survey.see(frame)
                if index == 0 and timeline is not None:
                    yield Planned(survey.info(self.reader.video, timeline), clips)
                if index in wanted:
                    yield Frame(index, self._paint(frame))
        if not survey.ticks:
            raise no_frames(self.scan, decoder.damage)
        return _surveyed(self.reader, survey, self.scan, decoder.damage)

    def _paint(self, frame: av.VideoFrame) -> npt.NDArray[np.uint8]:
        aspect = self.reader.video.stream.sample_aspect_ratio if self.square_pixels else None
        return upright_rgb(frame, self.reformatter, aspect)


def _sampled(clips: tuple[ClipPlan, ...]) -> list[int]:
    """Indices of all frames that some clip takes, ascending."""
    return sorted({index for clip in clips for index in clip.frame_indices})


def _agree(planned: tuple[ClipPlan, ...], found: tuple[ClipPlan, ...], protocol: Protocol) -> bool:
    """Whether what was delivered is what should have been.

    Windows of `dense` are used while the video still decodes, so their times count, too.
    """
    if [clip.frame_indices for clip in planned] != [clip.frame_indices for clip in found]:
        return False
    return protocol.num_clips is not None or all(
        np.allclose(one.times_seconds, other.times_seconds, rtol=0, atol=1e-6)
        for one, other in zip(planned, found, strict=True)
    )
