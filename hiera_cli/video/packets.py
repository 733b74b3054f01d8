"""What a file holds before anything is decoded: a pass over its packets.

Reading packets costs a hundredth of decoding them. It gives the number of frames and their
times, which packets start a group of pictures, and so which packets a set of frames needs.
"""

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import av.error
import numpy as np
import numpy.typing as npt
from av.packet import Packet
from av.stream import Discard
from av.video.stream import VideoStream

from hiera_cli.video.avlog import caught_messages
from hiera_cli.video.container import FOREIGN_ERRORS, OpenVideo
from hiera_cli.video.timeline import NO_TICK, Ticks

_KEPT_BYTES = 16 * 2**20
_PACKET_BYTES = 1024  # what a packet takes beside its data
_MIN_SKIPPED_PACKETS = 8
VideoPacket: TypeAlias = "Packet[VideoStream]"


@dataclass(eq=False, slots=True)
class PacketScan:
    """The packets of one video stream, in the order they are stored.

    Attributes:
        ticks: presentation time of each packet, or its decoding time, or NO_TICK.
        has_pts: whether every packet states a presentation time.
        keys: 1 for a packet where decoding can start.
        shown: 1 for a packet that gives a frame to show (0: hidden by an edit list, or empty).
        last_duration: ticks that the frame shown last stays.
        damage: what went wrong while reading.
        spans: (packets, 2) where each packet lies in the file, from and up to; -1 if unknown.
        order: places of the shown packets in display order.
        frame_ticks: times of the frames in display order.
    """

    ticks: Ticks
    has_pts: bool
    keys: npt.NDArray[np.bool_]
    shown: npt.NDArray[np.bool_]
    last_duration: int | None
    damage: tuple[str, ...]
    spans: npt.NDArray[np.int64]
    order: npt.NDArray[np.int64] = field(init=False)
    frame_ticks: Ticks = field(init=False)

    def __post_init__(self) -> None:
        places = np.flatnonzero(self.shown)
        self.order = places[np.argsort(self.ticks[places], kind="stable")]
        self.frame_ticks = self.ticks[self.order]

    @property
    def num_frames(self) -> int:
        """Number of frames, if every shown packet gives one."""
        return len(self.order)

    @property
    def regular(self) -> bool:
        """Whether times identify frames and decoding starts at a key: no reason for doubt."""
        if self.damage or not self.has_pts or not len(self.order) or not self.keys[0]:
            return False
        return bool(np.all(np.diff(self.frame_ticks) > 0))


def read_packets(video: OpenVideo, damage: list[str]) -> Iterator[VideoPacket]:
    """The packets of the video stream; reading errors are noted and end the stream."""
    for other in video.container.streams:
        if other is not video.stream:
            other.discard = Discard.all  # sound need not be read
    packets = video.container.demux(video.stream)
    while True:
        with caught_messages() as messages:
            try:
                packet = next(packets, None)
            except av.error.ExitError:
                raise
            except FOREIGN_ERRORS as error:
                damage.append(f"reading stopped: {error}")
                return
        damage.extend(text.strip() for _level, _context, text in messages)
        if packet is None:
            return
        if packet.stream_index == video.stream.index and packet.size:
            yield packet


def scan_packets(
    video: OpenVideo, check_time: Callable[[], None]
) -> tuple[PacketScan, list[VideoPacket] | None]:
    """Read all packets of the stream once.

    Args:
        video: an open file, not read from yet.
        check_time: called for each packet; raises when the time is up.

    Returns:
        what was found, and the packets themselves if they are small together.
    """
    ticks, keys, shown, damage = array("q"), bytearray(), bytearray(), list[str]()
    spans = array("q")
    kept: list[VideoPacket] | None = []
    kept_bytes, has_pts = 0, True
    last_tick, last_duration = NO_TICK, None
    for packet in read_packets(video, damage):
        check_time()
        has_pts = has_pts and packet.pts is not None
        tick = packet.pts if packet.pts is not None else packet.dts
        ticks.append(NO_TICK if tick is None else tick)
        spans.extend((-1, -1) if packet.pos is None else (packet.pos, packet.pos + packet.size))
        keys.append(packet.is_keyframe)
        shown.append(not packet.is_discard)  # edit lists hide packets that must still be decoded
        if packet.is_corrupt:
            damage.append("a packet is cut short")
        if tick is not None and tick >= last_tick and not packet.is_discard:
            last_tick, last_duration = tick, packet.duration
        kept_bytes += packet.size + _PACKET_BYTES
        if kept is not None:
            kept.append(packet)
            # small files are not read twice; of large ones nothing may stay in memory
            kept = kept if kept_bytes <= _KEPT_BYTES else None
    scan = PacketScan(
        np.array(ticks, dtype=np.int64),
        has_pts,
        np.array(keys, dtype=bool),
        np.array(shown, dtype=bool),
        last_duration,
        tuple(damage),
        np.array(spans, dtype=np.int64).reshape(-1, 2),
    )
    return scan, kept


@dataclass(frozen=True, slots=True)
class PacketRun:
    """Packets `start` to `stop` (both included), to be decoded from a fresh decoder."""

    start: int
    stop: int


def plan_runs(scan: PacketScan, wanted: Sequence[int]) -> tuple[PacketRun, ...]:
    """The fewest packets that give the wanted frames, in runs that start at key packets.

    Args:
        scan: a regular scan.
        wanted: frame indices in display order, ascending.
    """
    key_places = np.flatnonzero(scan.keys & scan.shown)
    runs: list[PacketRun] = []
    for frame_index in wanted:
        place = int(scan.order[frame_index])
        start = _key_before(scan, key_places, place)
        if runs and start <= runs[-1].stop + _MIN_SKIPPED_PACKETS:
            runs[-1] = PacketRun(runs[-1].start, max(runs[-1].stop, place))
        else:
            runs.append(PacketRun(start, place))
    return tuple(runs)


def packet_spans(scan: PacketScan, runs: Sequence[PacketRun]) -> list[tuple[int, int]]:
    """Where the packets of runs lie in the file, each from and up to a byte."""
    places = (place for run in runs for place in range(run.start, run.stop + 1))
    return [(int(scan.spans[place, 0]), int(scan.spans[place, 1])) for place in places]


def _key_before(scan: PacketScan, key_places: npt.NDArray[np.int64], place: int) -> int:
    """The last key packet that is stored before the packet and not shown after it."""
    nearest = int(np.searchsorted(key_places, place, side="right")) - 1
    # stored before and shown after: the leading pictures of an open group need the key before it
    while nearest >= 0 and scan.ticks[key_places[nearest]] > scan.ticks[place]:
        nearest -= 1
    return int(key_places[nearest]) if nearest >= 0 else 0
