"""A file that can be read from its start as often as needed, with a fresh decoder each time."""

from collections.abc import Iterable
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from hiera_cli.video.container import OpenVideo, open_video
from hiera_cli.video.info import Limits
from hiera_cli.video.packets import PacketScan, VideoPacket, read_packets, scan_packets
from hiera_cli.video.passes import Budget, Decoder


class Reader:
    """One video file under its limits.

    Small files are read from the disk once: the packets of the scan are used again for the
    first decoding pass.

    Attributes:
        video: the file as opened now.
        budget: what is left of the decoding time.
    """

    def __init__(self, path: str, limits: Limits, *, has_holes: bool = False) -> None:
        self._path = path
        self._has_holes = has_holes
        self._limits = limits
        self._stack = ExitStack()
        self._kept: list[VideoPacket] | None = None
        self.budget = Budget(limits.timeout_seconds)

    def __enter__(self) -> Self:
        self.budget.resume()
        self.video = self._open(self._limits.hardware)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._kept = None
        self._stack.close()

    def scan(self) -> PacketScan:
        """Read all packets; the next `start` may use them again."""
        scan, self._kept = scan_packets(self.video, self.budget.check)
        return scan

    def forget_packets(self) -> None:
        """Have the next `start` read the file again, because more of it is there now."""
        self._kept = None

    def start(
        self, threads: int = 1, *, hardware: bool = False
    ) -> tuple[Decoder, Iterable[VideoPacket]]:
        """A fresh decoder and all packets of the file; ends what was started before.

        Hardware hides damage, so it decodes only when told to, and where the limits allow it.
        """
        packets: Iterable[VideoPacket] | None = self._kept
        self._kept = None
        damage: list[str] = []
        if packets is None or (self.video.stream.codec_context.is_hwaccel and not hardware):
            self._stack.close()
            self.video = self._open(self._limits.hardware if hardware else None)
            packets = read_packets(self.video, damage)
        limits = self._limits
        decoder = Decoder(
            self.video, self.budget, limits.max_pixels, limits.max_silent_packets, damage
        )
        decoder.use_threads(threads)
        return decoder, packets

    def _open(self, hardware: str | None) -> OpenVideo:
        video = self._stack.enter_context(
            open_video(
                self._path,
                max_pixels=self._limits.max_pixels,
                timeout_seconds=self._limits.timeout_seconds,
                hardware=hardware,
                assumed_fps=self._limits.assumed_fps,
                has_holes=self._has_holes,
            )
        )
        # PyAV frees a decoder with the GIL held, and waits for its threads, which need the GIL to
        # report damage; flushing waits for them without it
        self._stack.callback(video.stream.codec_context.flush_buffers)
        return video
