"""The boxes of an MP4 file: claims that are too large, and encryption, seen before FFmpeg opens it.

FFmpeg builds its index from the sample counts in `moov` while it opens the file. A table that
says "thirty million samples of one byte" is a dozen bytes long and costs a gigabyte there, so
the claims are compared with the size of the file first (ISO/IEC 14496-12, sections 8.7.3, 8.8.8).
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from hiera_cli.errors import MediaError

_PARENTS = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf"})
_MAX_SAMPLES = 20_000_000  # a week of video at 30 frames per second
_PLAUSIBLE_SAMPLES = 1_000_000  # below this a false claim costs little, and damage is tolerated
_MAX_BOXES = 2_000_000


@dataclass(frozen=True, slots=True)
class _Box:
    kind: bytes
    start: int  # first byte after the header
    stop: int


def check_boxes(descriptor: int) -> float | None:
    """Refuse an MP4 file whose tables cannot be true, or whose video is encrypted.

    Files of other formats pass unread.

    Returns:
        the duration in seconds that the header of the video track states, if it does.

    Raises:
        MediaError: `too_large` or `corrupt`.
    """
    num_bytes = os.fstat(descriptor).st_size
    if os.pread(descriptor, 8, 0)[4:8] not in (b"ftyp", b"moov", b"styp", b"moof", b"mdat"):
        return None
    num_samples, handler = 0, b""
    track_seconds, video_seconds = None, None
    for box in _walk(descriptor, 0, num_bytes):
        if box.kind == b"mdhd":
            track_seconds = _media_seconds(descriptor, box)
        if box.kind == b"hdlr":
            handler = os.pread(descriptor, 4, box.start + 8)
            video_seconds = track_seconds if handler == b"vide" else video_seconds
        if box.kind == b"stsd":
            _refuse_encryption(descriptor, box)
        claimed = _claimed_samples(descriptor, box, num_bytes)
        num_samples += 0 if handler == b"soun" else claimed  # PCM is indexed by chunk
        if num_samples > _MAX_SAMPLES:
            raise MediaError("too_large", f"its index claims over {_MAX_SAMPLES} samples")
    return video_seconds


def _media_seconds(descriptor: int, box: _Box) -> float | None:
    """Duration in a media header, version 0 (others state true 64-bit values seldom enough)."""
    version, _created, _modified, timescale, duration = _words(descriptor, box, 0, 5)
    unknown = duration in (0, 2**32 - 1)
    return None if version >> 24 or not timescale or unknown else duration / timescale


def _walk(descriptor: int, start: int, stop: int) -> Iterator[_Box]:
    """Boxes that are not parents, depth first."""
    pending = [(start, stop)]
    for _ in range(_MAX_BOXES):
        if not pending:
            return
        position, end = pending.pop()
        box = _read_box(descriptor, position, end)
        if box is None:
            continue
        pending.append((box.stop, end))
        if box.kind in _PARENTS:
            pending.append((box.start, box.stop))
        else:
            yield box


def _read_box(descriptor: int, position: int, end: int) -> _Box | None:
    header = os.pread(descriptor, 16, position)
    if position + 8 > end or len(header) < 8:
        return None
    size, kind = struct.unpack(">I4s", header[:8])
    header_size = 8
    if size == 1 and len(header) == 16:
        size, header_size = struct.unpack(">Q", header[8:])[0], 16
    elif size == 0:
        size = end - position
    if size < header_size:
        return None
    return _Box(kind, position + header_size, min(position + size, end))


def _claimed_samples(descriptor: int, box: _Box, num_bytes: int) -> int:
    """Index entries that cost memory without costing bytes in the file."""
    if box.kind == b"stsz":
        sample_size, count = _words(descriptor, box, 4, 2)
        if not sample_size:
            return 0  # four bytes in the file for each entry
        if sample_size * count > num_bytes and count > _PLAUSIBLE_SAMPLES:
            raise MediaError(
                "corrupt", f"its index claims {count} samples, more than its {num_bytes} bytes hold"
            )
        return count
    if box.kind == b"trun":
        flags, count = _words(descriptor, box, 0, 2)
        return 0 if flags & 0xF00 else count
    return 0


def _words(descriptor: int, box: _Box, offset: int, num_words: int) -> tuple[int, ...]:
    raw = os.pread(descriptor, 4 * num_words, box.start + offset)
    if len(raw) < 4 * num_words or box.start + offset + 4 * num_words > box.stop:
        return (0,) * num_words
    return struct.unpack(f">{num_words}I", raw)


def _refuse_encryption(descriptor: int, box: _Box) -> None:
    if os.pread(descriptor, 4, box.start + 12) == b"encv":
        raise MediaError("corrupt", "its video is encrypted (DRM)")
