"""The clips of one video after another: decoded here or in a child process, never an odd error."""

import logging
import threading
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace

from hiera_cli.errors import MediaError
from hiera_cli.video.collector import ClipCollector, View, ViewOf
from hiera_cli.video.decode import Limits, VideoInfo, decode_video
from hiera_cli.video.holes import Holes
from hiera_cli.video.isolation.parent import DecodeProcess
from hiera_cli.video.local_file import local_or_holes
from hiera_cli.video.protocols import Protocol
from hiera_cli.video.sampling import ClipPlan

logger = logging.getLogger("hiera_cli")


class ClipReader:
    """Reads videos one at a time, for inference and for training alike.

    Args:
        isolate: decode in a child process, so that a file on which FFmpeg crashes or hangs costs
            that child only. It is started when it is first needed.
        limits: what one file may cost.
        threads: FFmpeg's threads for one file.
        square_pixels: stretch frames whose pixels are not square.
    """

    def __init__(
        self,
        *,
        isolate: bool,
        limits: Limits,
        threads: int = 1,
        square_pixels: bool = False,
    ) -> None:
        self._limits = limits
        self._threads = threads
        self._square_pixels = square_pixels
        self._stopped = threading.Event()
        self._process = DecodeProcess() if isolate else None

    def stop(self) -> None:
        """From another thread: give up the video in progress, and start nothing more."""
        self._stopped.set()
        if self._process is not None:
            self._process.stop()

    def close(self) -> None:
        """End the child process, if there is one; the next video would start another."""
        if self._process is not None:
            self._process.close()

    def read(
        self, path: str, protocol: Protocol, *, view_of: ViewOf[View], shared: bool
    ) -> Generator[tuple[ClipPlan, list[View]], None, VideoInfo]:
        """The clips that a protocol takes from a video, as they are complete.

        Args:
            path: a file, or a member of an archive.
            protocol: which clips.
            view_of: what is kept of each frame, as in `ClipCollector`.
            shared: whether all clips see the same of a frame.

        Returns:
            What is known about the video after its last frame.

        Raises:
            MediaError: it cannot be read, whatever the reason.
        """
        try:
            with local_or_holes(path) as (file, holes):
                info = yield from self._read(file, holes, protocol, view_of, shared=shared)
            return replace(info, path=path)
        except MediaError:
            raise
        except MemoryError as error:
            message = "not enough memory to decode this video"
            raise MediaError("too_large", message) from error
        except Exception as error:  # a file can bring out anything; the others go on
            logger.debug("decoding %s failed", path, exc_info=True)
            raise MediaError("internal", f"{type(error).__name__}: {error}") from error

    def _read(
        self,
        path: str,
        holes: Holes | None,
        protocol: Protocol,
        view_of: ViewOf[View],
        *,
        shared: bool,
    ) -> Generator[tuple[ClipPlan, list[View]], None, VideoInfo]:
        streaming = protocol.num_clips is None
        collector = ClipCollector(view_of, shared=shared, streaming=streaming)
        decode = decode_video if self._process is None else self._process.decode
        events = decode(
            path,
            protocol,
            limits=self._limits,
            threads=self._threads,
            square_pixels=self._square_pixels,
            fill=None if holes is None else holes.fill,
        )
        with closing(events):
            for event in events:
                if self._stopped.is_set():
                    raise MediaError("timeout", "decoding was stopped")
                yield from collector.take(event)
        if collector.info is None:
            raise MediaError("corrupt", "decoding ended without a result")
        return collector.info
