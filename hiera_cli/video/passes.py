"""One run of a decoder over a file: packets in, frames out, every sign of damage noted."""

import re
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import av
import numpy as np
from av.codec.context import ThreadType

from hiera_cli.errors import MediaError
from hiera_cli.video.avlog import caught_messages, num_stray_messages
from hiera_cli.video.container import FOREIGN_ERRORS, OpenVideo, too_large
from hiera_cli.video.packets import PacketScan, VideoPacket, plan_runs

_SIZE_REFUSED = re.compile(r"picture size (\S+) (is invalid|exceeds)", re.IGNORECASE)
# Codecs in which a frame that is not a reference can be left out without a trace in the others.
# (Not HEVC: there "not a reference" holds within one temporal layer only.)
_DROPPABLE = frozenset({"h264", "mpeg4", "mpeg2video", "mpeg1video"})


class DoubtError(Exception):
    """A short cut through a file cannot be trusted; decode all of it instead."""


@dataclass(slots=True)
class Budget:
    """The decoding time that one video may take; the consumer's own time is not counted."""

    limit_seconds: float | None
    _spent_seconds: float = 0.0
    _since: float | None = None

    def resume(self) -> None:
        """Start the watch."""
        self._since = time.monotonic()

    def pause(self) -> None:
        """Stop the watch."""
        if self._since is not None:
            self._spent_seconds += time.monotonic() - self._since
        self._since = None

    def check(self) -> None:
        """Raise when the time is up.

        Raises:
            MediaError: `timeout`.
        """
        running = time.monotonic() - self._since if self._since is not None else 0.0
        if self.limit_seconds is not None and self._spent_seconds + running > self.limit_seconds:
            raise MediaError(
                "timeout",
                f"decoding took longer than {self.limit_seconds:g} s",
                hint="raise --timeout",
            )


@dataclass(eq=False, slots=True)
class Decoder:
    """FFmpeg's decoder for one stream, and what it complained about.

    Attributes:
        video: the open file.
        budget: the time it may take.
        max_pixels: pixels that a picture may have.
        max_silent_packets: packets without a frame after which the rest is given up.
        damage: signs of damage so far, in words.
        num_frames: frames given so far.
    """

    video: OpenVideo
    budget: Budget
    max_pixels: int
    max_silent_packets: int
    damage: list[str] = field(default_factory=list)
    num_frames: int = 0
    _num_silent: int = 0
    _num_stray: int = field(default_factory=num_stray_messages)

    def use_threads(self, num_threads: int) -> None:
        """Decode with several threads; call before the first packet.

        Only for files in good order: with frame threads damage shows differently in each run,
        and the last frames of a truncated file are lost.
        """
        context = self.video.stream.codec_context
        # one thread means slices: FFmpeg's frame threading gives other frames of a damaged file in
        # each run, and a truncated one ends two frames early without a word
        context.thread_count = num_threads
        context.thread_type = ThreadType.SLICE if num_threads == 1 else ThreadType.AUTO

    def decode(self, packet: "VideoPacket | None") -> list[av.VideoFrame]:
        """Frames that come out for one packet; None: those that are still inside.

        Raises:
            MediaError: `timeout`, or `too_large` when a picture is over the limit.
        """
        self.budget.check()
        with caught_messages() as messages:
            try:
                frames = self.video.stream.codec_context.decode(packet)
            except FOREIGN_ERRORS as error:
                frames = []  # one bad packet must not end the file
                messages.append((0, "", getattr(error, "strerror", None) or str(error)))
        if messages:
            texts = [text.strip() for _level, _context, text in messages]
            self._refuse_size(texts)
            self.damage.extend(texts)
        for frame in frames:
            if frame.is_corrupt:
                self.damage.append("a frame is damaged")
            if frame.width * frame.height > self.max_pixels:
                raise too_large(frame.width, frame.height, self.max_pixels)
        self.num_frames += len(frames)
        self._num_silent = 0 if frames else self._num_silent + 1
        return frames

    def flush(self) -> None:
        """Forget everything, to start again at a key packet."""
        self.video.stream.codec_context.flush_buffers()

    @property
    def silent_too_long(self) -> bool:
        """Whether so many packets gave no frame that the rest is not worth the time."""
        return self._num_silent > self.max_silent_packets

    @property
    def stray_messages(self) -> bool:
        """Whether a decoding thread of this process complained meanwhile, perhaps of this file."""
        return num_stray_messages() > self._num_stray

    def _refuse_size(self, texts: Sequence[str]) -> None:
        """Raise if a size is refused; FFmpeg may have told it at opening, and now say 0x0."""
        if self.num_frames or not any(map(_SIZE_REFUSED.search, texts)):
            return
        found = map(_SIZE_REFUSED.search, [*self.video.damage, *texts])
        told = [match.string for match in found if match and match[1] != "0x0"]
        if told:
            raise MediaError(
                "too_large",
                f"its picture is too large: {told[0]}",
                hint="raise --max-pixels if you trust this file",
            )


def all_frames(
    decoder: Decoder, packets: Iterable[VideoPacket]
) -> Generator[av.VideoFrame, None, None]:
    """Every frame that decodes, in display order; a bad packet costs no more than itself."""
    for packet in packets:
        yield from decoder.decode(packet)
        if decoder.silent_too_long:
            decoder.damage.append(f"no frame in {decoder.max_silent_packets} packets")
            return
    yield from decoder.decode(None)


def wanted_frames(
    decoder: Decoder, packets: Iterable[VideoPacket], scan: PacketScan, wanted: Sequence[int]
) -> Generator[tuple[int, av.VideoFrame], None, None]:
    """Only the frames at the wanted indices, decoding as little as that takes.

    Packets that no wanted frame needs are dropped before the decoder sees them: whole groups of
    pictures, and frames that nothing refers to. That a frame is the right one is known from its
    time, which must be one that the scan has seen.

    Args:
        decoder: fresh.
        packets: all packets, in the order of the scan.
        scan: a regular scan of the file.
        wanted: frame indices in display order, ascending, none twice.

    Raises:
        DoubtError: something came out other than predicted.
    """
    runs = iter(plan_runs(scan, wanted))
    run = next(runs)
    needed = frozenset(int(scan.order[index]) for index in wanted)
    collector = _Collector(scan, wanted)
    droppable = decoder.video.stream.codec_context.name in _DROPPABLE
    for place, packet in enumerate(packets):
        if place < run.start:
            continue
        if droppable:
            # NONREF drops what no other frame refers to before it is decoded
            keep = place in needed or bool(scan.keys[place])
            decoder.video.stream.codec_context.skip_frame = "DEFAULT" if keep else "NONREF"
        yield from collector.take(decoder.decode(packet), run.start)
        if place == run.stop:
            # the decoder holds frames back to put them in order; only draining brings them out
            yield from collector.take(decoder.decode(None), run.start)
            decoder.flush()
            following = next(runs, None)
            if following is None:
                break
            run = following
            collector.start_run()
        if decoder.damage:
            raise DoubtError(decoder.damage[0])
    if decoder.damage or not collector.complete:
        raise DoubtError("frames are missing")
    if decoder.stray_messages:
        raise DoubtError("a decoding thread complained")


@dataclass(eq=False, slots=True)
class _Collector:
    """Recognises frames by their times.

    Attributes:
        scan: what the file promised.
        wanted: indices of wanted frames, ascending.
    """

    scan: PacketScan
    wanted: Sequence[int]
    _begun: bool = False
    _num_found: int = 0
    _next_index: int = 0

    @property
    def complete(self) -> bool:
        """Whether all wanted frames have come."""
        return self._num_found == len(self.wanted)

    def start_run(self) -> None:
        """The decoder starts afresh at a key packet."""
        self._begun = False

    def take(
        self, frames: Sequence[av.VideoFrame], start: int
    ) -> Iterator[tuple[int, av.VideoFrame]]:
        """Those frames that are wanted, with their indices."""
        for frame in frames:
            index = self._index_of(frame)
            tick = self.scan.frame_ticks[index]
            if not self._begun and tick >= self.scan.ticks[start]:
                if tick != self.scan.ticks[start]:
                    raise DoubtError("decoding does not start at the key frame")
                self._begun = True
            if not self._begun or self.complete or index < self.wanted[self._num_found]:
                continue
            if index > self.wanted[self._num_found]:
                raise DoubtError(f"frame {self.wanted[self._num_found]} is missing")
            self._num_found += 1
            yield index, frame

    def _index_of(self, frame: av.VideoFrame) -> int:
        ticks, tick, index = self.scan.frame_ticks, frame.pts, self._next_index
        if index == len(ticks) or ticks[index] != tick:  # not the one after the last: a new run
            index = int(np.searchsorted(ticks, tick)) if tick is not None else len(ticks)
            if index == len(ticks) or ticks[index] != tick:
                raise DoubtError("a frame has a time that no packet has")
        self._next_index = index + 1
        return index
