"""Decoding in a child process, so that a file that hangs or crashes FFmpeg costs one child.

What the child (`child.py`) sends back is framed JSON and raw arrays, never pickles: a child that
hostile bytes took over can send nonsense, but not code.
"""

import os
from collections.abc import Generator, Iterator
from dataclasses import asdict
from typing import Any

from hiera_cli.errors import MediaError
from hiera_cli.video.decode import Finished, Limits, VideoInfo
from hiera_cli.video.holes import Fill
from hiera_cli.video.isolation.wire import Event, Needed, read_error, read_event, read_need
from hiera_cli.video.isolation.worker import Worker, WorkerDiedError
from hiera_cli.video.protocols import Protocol


class DecodeProcess:
    """One child that decodes videos one after the other, started when first needed.

    A child that dies is replaced and the video tried once more; a video that outlasts its time
    limit is given up and the child killed.
    """

    def __init__(self) -> None:
        self._child: Worker | None = None
        self._stopped = False

    @property
    def pid(self) -> int | None:
        """The child's process id, while there is one."""
        return None if self._child is None else self._child.pid

    def decode(
        self,
        path: str,
        protocol: Protocol,
        *,
        limits: Limits,
        threads: int = 1,
        square_pixels: bool = False,
        fill: Fill | None = None,
    ) -> Generator[Event, None, None]:
        """As `decode_video`, in the child; `fill` is called here, when the child asks for it.

        Raises:
            MediaError: as `decode_video`; also `timeout`, and when the child died twice: `corrupt`
                if it crashed, `internal` if it was killed from outside.
        """
        request = {
            "path": _hex_path(path),
            "protocol": asdict(protocol),
            "limits": asdict(limits),
            "threads": threads,
            "square_pixels": square_pixels,
            "has_holes": fill is not None,
        }
        yield from self._try_twice(request, limits.timeout_seconds, fill)

    def probe(self, path: str, *, count: bool, limits: Limits) -> VideoInfo:
        """As `hiera_cli.video.decode.probe`, in the child.

        Raises:
            MediaError: as `decode`.
        """
        request = {"path": _hex_path(path), "limits": asdict(limits), "count": count}
        (event,) = self._try_twice(request, limits.timeout_seconds)
        assert isinstance(event, Finished)
        return event.info

    def stop(self) -> None:
        """From another thread: end what is being decoded, and start nothing more."""
        self._stopped = True
        child = self._child
        if child is not None:
            child.kill()

    def close(self) -> None:
        """End the child, if there is one."""
        child, self._child = self._child, None
        if child is not None:
            child.close()

    def _try_twice(
        self, request: dict[str, Any], timeout_seconds: float | None, fill: Fill | None = None
    ) -> Generator[Event, None, None]:
        """The child's answers, from a new child if the first one dies; it lives on if it may."""
        finished = False
        try:
            try:
                yield from self._ask(request, timeout_seconds, fill)
            except WorkerDiedError:
                self.close()
                yield from self._ask(request, timeout_seconds, fill)
            finished = True
        except WorkerDiedError as error:
            raise MediaError(error.kind, error.message) from error
        except MediaError as error:
            finished = error.kind != "timeout"
            raise
        finally:
            if not finished:
                self.close()

    def _ask(
        self, request: dict[str, Any], timeout_seconds: float | None, fill: Fill | None
    ) -> Iterator[Event]:
        child = self._running_child()
        child.ask(request, timeout_seconds)
        while True:
            event = _next_event(child)
            if isinstance(event, Needed):
                self._fill(event, child, fill)
                continue
            yield event
            if isinstance(event, Finished):
                return

    def _fill(self, needed: Needed, child: Worker, fill: Fill | None) -> None:
        """Have the bytes be there that the child asks for, and tell it so."""
        try:
            if fill is None:
                raise ValueError("its file has no holes")
            fill(needed.spans)
        except MediaError:
            self.close()  # it waits for an answer that it will not get
            raise
        except (ValueError, TypeError) as error:
            raise WorkerDiedError("corrupt", "the decoder sent a malformed answer") from error
        child.confirm()

    def _running_child(self) -> Worker:
        if self._child is None or not self._child.is_running:
            self.close()
            self._child = None if self._stopped else Worker()
        if self._child is None or self._stopped:
            raise WorkerDiedError("internal", "the decoder was stopped")
        return self._child


def _next_event(child: Worker) -> Event | Needed:
    """What the child says next.

    Raises:
        MediaError: what it says is that the file cannot be read; or it said nothing in time.
        WorkerDiedError: it ended, or is malformed.
    """
    try:
        header, payload = child.answer()
        if "error" in header:
            raise read_error(header)
        if "need" in header:
            return read_need(header)
        return read_event(header, payload)
    except (MediaError, WorkerDiedError):
        raise
    except Exception as error:  # it may send anything
        raise WorkerDiedError("corrupt", "the decoder sent a malformed answer") from error


def _hex_path(path: str) -> str:
    """An absolute path as JSON can carry it, whatever its bytes."""
    return os.fsencode(os.path.abspath(path)).hex()  # noqa: PTH100
