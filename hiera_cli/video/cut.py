"""Pieces of a video as files of their own: packets copied where key frames allow, else encoded."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from hiera_cli.errors import OutputError
from hiera_cli.files import replacing
from hiera_cli.video.container import open_video
from hiera_cli.video.encode import encoding_for
from hiera_cli.video.info import Limits, VideoInfo
from hiera_cli.video.packets import PacketScan, read_packets
from hiera_cli.video.reader import Reader
from hiera_cli.video.rewrite import read_upright
from hiera_cli.video.timed import TimedWriter, Voices, open_sound

_COPIED = frozenset({"h264", "hevc", "av1", "vp9", "mpeg4"})
_HALF = 0.5


@dataclass(frozen=True, slots=True)
class Cut:
    """A piece of a video and where it goes.

    Attributes:
        start_seconds, end_seconds: presentation times; frames shown from the start on and before
            the end belong to the piece.
        out: a name in .mp4, .mkv, .mov or .webm.
    """

    start_seconds: float
    end_seconds: float
    out: Path


@dataclass(frozen=True, slots=True)
class Written:
    """A piece that was written; `copied` without encoding it again."""

    out: Path
    num_frames: int
    copied: bool


def cut_video(info: VideoInfo, cuts: Sequence[Cut], *, limits: Limits) -> Iterator[Written]:
    """Cut pieces out of a video; what must be encoded is, in one pass over the video.

    Args:
        info: of the video, after a whole pass over it.
        cuts: pieces with at least one frame are written; they may overlap.
        limits: what decoding may cost.

    Raises:
        MediaError: the video cannot be read any more.
        OutputError: a piece cannot be written.
    """
    pieces = [(cut, *_frames_of(info, cut)) for cut in cuts]
    pieces = [piece for piece in pieces if piece[1] < piece[2]]
    scan = _scan(info, limits)
    left = []
    for cut, first, stop in pieces:
        places = _copyable(scan, first, stop)
        if places is None:
            left.append((cut, first, stop))
            continue
        _copy(info, cut, places, limits)
        yield Written(cut.out, stop - first, copied=True)
    yield from _encode(info, sorted(left, key=lambda piece: piece[1]), limits)


def _frames_of(info: VideoInfo, cut: Cut) -> tuple[int, int]:
    """First frame of a cut, and the one after its last."""
    times = info.timeline.times_seconds
    slack = _HALF / info.fps
    first = int(np.searchsorted(times, cut.start_seconds - slack))
    stop = int(np.searchsorted(times, cut.end_seconds - slack))
    return first, stop


def _scan(info: VideoInfo, limits: Limits) -> PacketScan | None:
    """The packets, where they may be copied: an upright picture in a usual codec."""
    if info.codec not in _COPIED or info.rotation or info.warnings:
        return None
    with Reader(info.path, limits) as reader:
        scan = reader.scan()
    whole = scan.regular and scan.num_frames == info.num_frames == len(scan.ticks)
    return scan if whole else None


def _copyable(scan: PacketScan | None, first: int, stop: int) -> tuple[int, int] | None:
    """Stored places of the packets of frames first to stop, if those stand by themselves."""
    if scan is None:
        return None
    begin = int(scan.order[first])
    end = int(scan.order[stop]) if stop < scan.num_frames else len(scan.ticks)
    if not scan.keys[begin] or (stop < scan.num_frames and not scan.keys[end]):
        return None
    inside = np.sort(scan.order[first:stop])
    return (begin, end) if np.array_equal(inside, np.arange(begin, end)) else None


def _copy(info: VideoInfo, cut: Cut, places: tuple[int, int], limits: Limits) -> None:
    first_seconds = info.timeline.times_seconds[_frames_of(info, cut)[0]]
    sound = open_sound(info.path, float(first_seconds), cut.end_seconds, limits=limits)
    try:
        with (
            replacing(cut.out) as part,
            open_video(
                info.path, max_pixels=limits.max_pixels, timeout_seconds=limits.timeout_seconds
            ) as video,
            av.open(f"file:{part}", "w", format=encoding_for(cut.out).container) as output,
        ):
            track = output.add_stream_from_template(video.stream)
            voices = Voices(output, sound, float(first_seconds))
            shift = 0
            for place, packet in enumerate(read_packets(video, [])):
                if place >= places[1]:
                    break
                if place < places[0] or packet.pts is None:
                    continue
                shift = packet.pts if place == places[0] else shift
                voices.copy(float(packet.pts * video.time_base))
                packet.pts -= shift
                packet.dts = None if packet.dts is None else packet.dts - shift
                packet.stream = track
                output.mux(packet)
            voices.copy(float("inf"))
    except (av.FFmpegError, ValueError) as error:
        raise OutputError(f"cannot write '{cut.out}': {error}") from error
    finally:
        if sound is not None:
            sound.close()


def _encode(
    info: VideoInfo, pieces: Sequence[tuple[Cut, int, int]], limits: Limits
) -> Iterator[Written]:
    """Decode once; every frame goes to the pieces that it belongs to."""
    if not pieces:
        return
    times = info.timeline.times_seconds
    waiting = list(pieces)
    writing: list[tuple[_Piece, int, int]] = []
    with ExitStack() as stack, closing(read_upright(info.path, limits=limits)) as frames:  # type: ignore[type-var]
        for index, picture in enumerate(frames):
            while waiting and waiting[0][1] <= index:
                cut, first, stop = waiting.pop(0)
                writing.append((stack.enter_context(_Piece(info, cut, limits)), first, stop))
            seconds = float(times[min(index, len(times) - 1)])
            lasts = info.timeline.frame_end_seconds(min(index, len(times) - 1)) - seconds
            for piece, first, stop in list(writing):
                piece.writer.write(seconds, picture, duration_seconds=lasts)
                if index + 1 >= stop:
                    piece.close()
                    writing.remove((piece, first, stop))
                    yield Written(piece.cut.out, stop - first, copied=False)
            if not waiting and not writing:
                return


class _Piece:
    """A piece that is being encoded."""

    def __init__(self, info: VideoInfo, cut: Cut, limits: Limits) -> None:
        self.cut = cut
        self._stack = ExitStack()
        part = self._stack.enter_context(replacing(cut.out))
        first = info.timeline.times_seconds[_frames_of(info, cut)[0]]
        self.writer = self._stack.enter_context(
            TimedWriter(
                part,
                encoding_for(cut.out),
                size=(info.width, info.height),
                fps=info.fps,
                zero_seconds=float(first),
                sound=open_sound(info.path, float(first), cut.end_seconds, limits=limits),
            )
        )

    def __enter__(self) -> "_Piece":
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)  # type: ignore[arg-type]

    def close(self) -> None:
        """Finish the file."""
        self._stack.close()
