"""Opening a local file as video: what may be opened, and which of its streams is the video.

FFmpeg is handed an open descriptor, never a name, and may use no other protocol. So a name is
never parsed (`http:x.mp4`, `concat:a|b`, `%03d.jpg`), a suffix decides nothing, and a playlist,
whatever it is called, has no way to reach another file or a socket.
"""

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction

import av
import av.container
import av.error
from av.stream import Disposition
from av.video.stream import VideoStream

from hiera_cli.errors import FailureKind, MediaError
from hiera_cli.video.avlog import Message, caught_messages
from hiera_cli.video.boxes import check_boxes
from hiera_cli.video.hardware import accelerator

# Containers and elementary streams that hold their own data. Left out on purpose: everything
# that refers to other files (hls, dash, concat, sdp, image2, vobsub, imf), scripts (avisynth,
# lavfi), and text that FFmpeg would render (tty). Audio is in, so that it is named as such.
FORMATS = (
    "mov,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,asf_o,ogg,rm,mxf,mxf_opatom,gxf,dv,nut,"
    "wtv,ivf,obu,av1,h261,h263,h264,hevc,vvc,vc1,m4v,cavsvideo,mjpeg,yuv4mpegpipe,gif,apng,"
    "jpeg_pipe,png_pipe,bmp_pipe,webp_pipe,tiff_pipe,mp3,aac,ac3,eac3,flac,wav,w64,aiff,amr,caf"
)
_GENERATE_PTS = 0x0001  # AVFMT_FLAG_GENPTS, which PyAV sets
# What FFmpeg raises on bad files: its own errors, a stream that appears mid-way (IndexError),
# metadata in no encoding (UnicodeDecodeError), refused numbers (OverflowError, ValueError).
FOREIGN_ERRORS = (av.error.FFmpegError, OSError, EOFError, IndexError, ValueError, OverflowError)


@dataclass(frozen=True, eq=False, slots=True)
class OpenVideo:
    """An open file and its video stream.

    Attributes:
        path: as the user named it.
        container: PyAV's handle.
        stream: the video stream; it has a decoder.
        stated_seconds: how long the video lasts according to a header that FFmpeg corrects.
        damage: what FFmpeg complained about while it opened the file.
        assumed_fps: the frame rate, whatever the file states; None: what it states.
    """

    path: str
    container: av.container.InputContainer
    stream: VideoStream
    stated_seconds: float | None
    damage: tuple[str, ...]
    assumed_fps: float | None = None

    @property
    def time_base(self) -> Fraction:
        """Seconds in one tick of the stream's clock."""
        return self.stream.time_base or Fraction(1, 1_000_000)


@contextmanager
def open_video(
    path: str,
    *,
    max_pixels: int,
    timeout_seconds: float | None,
    hardware: str | None = None,
    assumed_fps: float | None = None,
    has_holes: bool = False,
) -> Iterator[OpenVideo]:
    """Open a regular file and choose its video stream.

    Args:
        path: a local file name, never a URL.
        max_pixels: larger pictures are refused by the decoder before it allocates them (in FLV,
            whose streams FFmpeg finds by decoding without options, after one was allocated).
        timeout_seconds: for opening, and for each read.
        hardware: FFmpeg's device type to decode with, as far as it works.
        assumed_fps: the frame rate, whatever the file states; None: what it states.
        has_holes: whether packets may be zeros, so that only the index says what they are.

    Raises:
        MediaError: the file cannot be opened or holds no video.
    """
    descriptor = _open_regular_file(path)
    try:
        stated_seconds = check_boxes(descriptor)
        # parsers look into packets for what the index of an MP4 file says as well
        flags = {"fflags": "+noparse"} if has_holes else {}
        container, messages = _open_container(
            descriptor, max_pixels, timeout_seconds, hardware, flags
        )
    finally:
        os.close(descriptor)
    try:
        stream = _choose_stream(container, max_pixels)
        # Four places hold max_pixels, because sizes become known at four moments: the container's
        # option while FFmpeg probes streams, the header's claim (_choose_stream), the decoder's own
        # option for sizes that a frame announces, and each frame that came out (passes.py): a codec
        # without the check hands out whatever it decoded.
        stream.codec_context.options = {"max_pixels": str(_padded(max_pixels))}
        damage = tuple(text.strip() for _level, context, text in messages if context)
        # AVI stores no presentation times; with B-frames the ones that GENPTS makes up come out
        # scrambled, so that they must not be asked for: decoding times or counting take over.
        container.flags &= ~_GENERATE_PTS
        yield OpenVideo(path, container, stream, stated_seconds, damage, assumed_fps)
    finally:
        container.close()


def _open_regular_file(path: str) -> int:
    """Descriptor of a regular file; nothing else is even opened, since that may block."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - Path("") is the folder "."
        if not stat.S_ISREG(mode):
            raise MediaError("not_a_video", _what_it_is(mode))
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise MediaError(_kind_of_os_error(error), error.strerror or str(error)) from error
    except ValueError as error:  # a NUL in the name
        raise MediaError("not_found", str(error)) from error


def _what_it_is(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "it is a folder, not a file"
    if stat.S_ISFIFO(mode):
        return "it is a named pipe, not a file"
    return "it is not a regular file"


def _kind_of_os_error(error: OSError) -> FailureKind:
    if error.errno in (errno.EACCES, errno.EPERM):
        return "permission"
    missing = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO)
    return "not_found" if error.errno in missing else "corrupt"


def _open_container(
    descriptor: int,
    max_pixels: int,
    timeout_seconds: float | None,
    hardware: str | None,
    flags: Mapping[str, str],
) -> tuple[av.container.InputContainer, list[Message]]:
    """The open file and what FFmpeg said of it; in software where the device cannot be had."""
    # The file is opened by descriptor, never by name: FFmpeg takes "12:30 clip.mp4" or "pipe:0" for
    # a URL. The whitelists keep playlists from opening other files, and sockets, whatever their
    # suffix, and a text file from being "decoded" as ANSI art.
    options = {
        "fd": str(descriptor),
        "protocol_whitelist": "fd",
        "format_whitelist": FORMATS,
        "max_pixels": str(_padded(max_pixels)),
        **flags,
    }
    os.lseek(descriptor, 0, os.SEEK_SET)
    with caught_messages() as messages:
        try:
            container = av.open(
                "fd:",
                options=options,
                metadata_errors="replace",  # tags in Latin-1 would end in UnicodeDecodeError
                timeout=timeout_seconds,
                hwaccel=accelerator(hardware) if hardware else None,
            )
        except FOREIGN_ERRORS as error:
            if hardware is None:
                raise _opening_error(error, messages) from error
        else:
            return container, messages
    return _open_container(descriptor, max_pixels, timeout_seconds, None, flags)


def _opening_error(error: Exception, messages: list[Message]) -> MediaError:
    """Why a file could not be opened, in the words of our failure kinds."""
    if isinstance(error, av.error.ExitError):
        return MediaError("timeout", "opening it took too long")
    if isinstance(error, EOFError):
        return MediaError("no_frames", "it ends before the first frame")
    texts = [text.strip() for _level, context, text in messages if context]
    if isinstance(error, av.error.ArgumentError) or not texts:
        return MediaError("not_a_video", "it is in no video format that is known here")
    return MediaError("corrupt", f"its header cannot be read: {texts[0]}")


def _choose_stream(container: av.container.InputContainer, max_pixels: int) -> VideoStream:
    # not streams.video[0]: the first may be cover art or a thumbnail track
    stream = container.streams.best("video")
    if not isinstance(stream, VideoStream):
        raise MediaError("no_video_stream", "it holds no video")
    if stream.disposition & Disposition.attached_pic:
        raise MediaError("no_video_stream", "its only picture is cover art")
    if stream.codec_context is None:
        raise MediaError("no_video_stream", "its video is in a codec without a decoder here")
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > max_pixels:
        raise too_large(width, height, max_pixels)
    return stream


def _padded(max_pixels: int) -> int:
    """The limit for FFmpeg, which counts the rows and columns that a codec adds at the edges."""
    return max_pixels + max_pixels // 8 + 2**16


def too_large(width: int, height: int, max_pixels: int) -> MediaError:
    """The error for a picture over the limit."""
    return MediaError(
        "too_large",
        f"its picture is {width}x{height}, more than {max_pixels} pixels",
        hint="raise --max-pixels if you trust this file",
    )
