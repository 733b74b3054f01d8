"""Writing video whose frames have times of their own, beside sound that is copied from a file."""

from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import av
import av.container
import numpy as np
import numpy.typing as npt
from av.video.stream import VideoStream

from hiera_cli.errors import MediaError, OutputError
from hiera_cli.video.container import open_video
from hiera_cli.video.encode import Encoding
from hiera_cli.video.info import Limits

Picture = npt.NDArray[np.uint8]
TICKS = 90_000  # in a second
EARLY_SECONDS = 1.0


class Sound:
    """The audio packets of a file between two times, in order, without decoding them.

    Args:
        path: a local file.
        start_seconds, end_seconds: on the clock of the file.
        limits: what opening it may cost.
    """

    def __init__(
        self, path: str, start_seconds: float, end_seconds: float, *, limits: Limits
    ) -> None:
        self._stack = ExitStack()
        self._start, self._end = start_seconds, end_seconds
        video = self._stack.enter_context(
            open_video(path, max_pixels=limits.max_pixels, timeout_seconds=limits.timeout_seconds)
        )
        self._container = video.container
        self.streams = tuple(
            stream for stream in self._container.streams.audio if stream.codec_context is not None
        )

    def close(self) -> None:
        """Close the file."""
        self._stack.close()

    def packets(self) -> Iterator[tuple[float, Any]]:
        """(presentation time, packet) of the packets that begin in the time."""
        if not self.streams:
            return
        if self._start > EARLY_SECONDS:
            self._container.seek(round((self._start - EARLY_SECONDS) * av.time_base))
        for packet in self._container.demux(*self.streams):
            if packet.pts is None or packet.time_base is None:
                continue
            seconds = float(packet.pts * packet.time_base)
            if seconds >= self._end + EARLY_SECONDS:
                return
            if self._start - 0.05 <= seconds < self._end:
                yield seconds, packet


class Voices:
    """The tracks that the sound of a file is copied into.

    Args:
        output: a file whose header is not written yet.
        sound: what is copied; None for silence.
        zero_seconds: the time that becomes 0.
    """

    def __init__(
        self, output: av.container.OutputContainer, sound: Sound | None, zero_seconds: float
    ) -> None:
        self._output, self._zero = output, zero_seconds
        self._tracks: dict[int, Any] = {}
        try:
            for stream in sound.streams if sound else ():
                self._tracks[stream.index] = output.add_stream_from_template(stream)
        except (ValueError, av.FFmpegError) as error:
            raise OutputError(
                f"this kind of file cannot hold the sound of the video: {error}",
                hint="name the output .mkv",
            ) from error
        self._pending = sound.packets() if sound else iter(())
        self._next = next(self._pending, None)

    def copy(self, until_seconds: float) -> None:
        """Write the packets that begin until then."""
        while self._next is not None and self._next[0] <= until_seconds:
            _, packet = self._next
            shift = round(self._zero / packet.time_base)
            packet.pts -= shift
            packet.dts = packet.pts if packet.dts is None else packet.dts - shift
            packet.stream = self._tracks[packet.stream.index]
            self._output.mux(packet)
            self._next = next(self._pending, None)


class TimedWriter:
    """Writes frames at their times, and the sound that goes with them, into one file.

    Args:
        part: the file, under its temporary name.
        encoding: of the pictures.
        size: width and height; odd ones are padded by a pixel.
        fps: the average rate.
        zero_seconds: the time that becomes 0.
        sound: what is copied beside; None for silence. It is closed with the writer.
    """

    def __init__(
        self,
        part: Path,
        encoding: Encoding,
        *,
        size: tuple[int, int],
        fps: float,
        zero_seconds: float,
        sound: Sound | None,
    ) -> None:
        self._zero = zero_seconds
        self._sound = sound
        self._output = av.open(f"file:{part}", "w", format=encoding.container)
        rate = Fraction(fps).limit_denominator(30_000)
        options = {**dict(encoding.options), "bf": "0"}
        added = self._output.add_stream(encoding.encoder, rate=rate, options=options)
        self._stream = cast(VideoStream, added)
        self._size = (size[0] + size[0] % 2, size[1] + size[1] % 2)
        self._stream.width, self._stream.height = self._size
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = Fraction(1, TICKS)
        self._durations: dict[int | None, int] = {}
        self._voices = Voices(self._output, sound, zero_seconds)

    def __enter__(self) -> Self:
        return self

    def write(self, seconds: float, picture: Picture, *, duration_seconds: float) -> None:
        """Add a frame (H, W, 3) uint8 RGB, and the sound before it."""
        self._voices.copy(seconds)
        frame = av.VideoFrame.from_ndarray(_padded(picture, self._size), format="rgb24")
        frame.pts, frame.time_base = round((seconds - self._zero) * TICKS), Fraction(1, TICKS)
        frame.duration = round(duration_seconds * TICKS)
        self._durations[frame.pts] = frame.duration
        self._mux(self._stream.encode(frame))

    def _mux(self, packets: list[Any]) -> None:
        """Write packets; encoders forget how long a frame lasts, which decides about the last."""
        for packet in packets:
            packet.duration = self._durations.pop(packet.pts, packet.duration)
            self._output.mux(packet)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._mux(self._stream.encode(None))
                self._voices.copy(float("inf"))
        finally:
            self._output.close()
            if self._sound is not None:
                self._sound.close()


def open_sound(path: str, start: float, end: float, *, limits: Limits) -> Sound | None:
    """The sound of a file; None where it cannot be had."""
    try:
        return Sound(path, start, end, limits=limits)
    except MediaError:
        return None


def _padded(picture: Picture, size: tuple[int, int]) -> Picture:
    """The picture on even sides, its last row or column repeated."""
    height, width = picture.shape[:2]
    if (width, height) == size:
        return np.ascontiguousarray(picture)
    grown = ((0, max(0, size[1] - height)), (0, max(0, size[0] - width)), (0, 0))
    return np.ascontiguousarray(np.pad(picture, grown, mode="edge")[: size[1], : size[0]])
