"""Decoding in a child process, so that a file that hangs or crashes FFmpeg costs one child.

What the child (`video/child.py`) sends back is framed JSON and raw arrays, never pickles: a child
that hostile bytes took over can send nonsense, but not code.
"""

import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import asdict
from typing import IO, Any

from hiera_cli.errors import MediaError
from hiera_cli.video.decode import Finished, Limits, VideoInfo
from hiera_cli.video.sampling import Protocol
from hiera_cli.video.wire import Event, read_event

GRACE_SECONDS = 5.0
MAX_HEADER_BYTES = 1 << 20
MAX_PAYLOAD_BYTES = 1 << 31
PIPE_BYTES = 1 << 20  # a few frames, so that the child decodes on while one is looked at


class DecodeProcess:
    """One child that decodes videos one after the other, started when first needed.

    A child that dies is replaced and the video tried once more; a video that outlasts its time
    limit is given up and the child killed.
    """

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
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
    ) -> Generator[Event, None, None]:
        """As `decode_video`, in the child.

        Raises:
            MediaError: as `decode_video`; also `timeout`, and `corrupt` when the child died twice.
        """
        request = {
            "path": _hex_path(path),
            "protocol": asdict(protocol),
            "limits": asdict(limits),
            "threads": threads,
            "square_pixels": square_pixels,
        }
        yield from self._try_twice(request, limits.timeout_seconds)

    def probe(self, path: str, *, count: bool, limits: Limits) -> VideoInfo:
        """As `hiera_cli.video.decode.probe`, in the child.

        Raises:
            MediaError: as `decode`.
        """
        request = {"path": _hex_path(path), "limits": asdict(limits), "count": count}
        (event,) = self._try_twice(request, limits.timeout_seconds)
        assert isinstance(event, Finished)
        return event.info

    def _try_twice(
        self, request: dict[str, Any], timeout_seconds: float | None
    ) -> Generator[Event, None, None]:
        finished = False
        try:
            for attempt in (1, 2):
                try:
                    yield from self._ask(request, timeout_seconds)
                except _ChildDiedError as error:
                    if attempt == 2:
                        raise MediaError("corrupt", str(error)) from error
                    continue
                finished = True
                return
        except MediaError as error:
            finished = error.kind != "timeout"
            raise
        finally:
            if not finished:
                self.close()

    def stop(self) -> None:
        """From another thread: end what is being decoded, and start nothing more."""
        self._stopped = True
        child = self._child
        if child is not None:
            child.kill()

    def close(self) -> None:
        """End the child, if there is one."""
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        child.wait()

    def _ask(self, request: dict[str, Any], timeout_seconds: float | None) -> Iterator[Event]:
        if self._child is None or self._child.poll() is not None:
            self.close()
            self._child = None if self._stopped else _start_child()
        child = self._child
        if child is None or self._stopped:
            self.close()
            raise _ChildDiedError("the decoder was stopped")
        patience = None if timeout_seconds is None else timeout_seconds + GRACE_SECONDS
        reader = _Reader(child, patience)
        try:
            _stdin(child).write(json.dumps(request).encode() + b"\n")
            _stdin(child).flush()
        except OSError as error:
            self.close()
            raise _ChildDiedError("the decoder could not be started") from error
        while True:
            try:
                header, payload = reader.message()
            except _ChildDiedError:
                self.close()
                raise
            if "error" in header:
                raise MediaError(header["error"], header["message"])
            event = read_event(header, payload)
            yield event
            if isinstance(event, Finished):
                return


def _hex_path(path: str) -> str:
    """An absolute path as JSON can carry it, whatever its bytes."""
    return os.fsencode(os.path.abspath(path)).hex()  # noqa: PTH100


class _ChildDiedError(Exception):
    """The child ended without an answer."""


def _stdin(child: subprocess.Popen[bytes]) -> IO[bytes]:
    assert child.stdin is not None
    return child.stdin


def _start_child() -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    child = subprocess.Popen(
        [sys.executable, "-m", "hiera_cli.video.child", str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
        bufsize=0,
    )
    assert child.stdout is not None
    if sys.platform == "linux":
        with suppress(OSError):  # a limit of the system
            fcntl.fcntl(child.stdout, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return child


class _Reader:
    """Reads messages of a child, counting only the time spent waiting for it."""

    def __init__(self, child: subprocess.Popen[bytes], patience_seconds: float | None) -> None:
        assert child.stdout is not None
        self._child = child
        self._descriptor = child.stdout.fileno()
        self._patience = patience_seconds

    def message(self) -> tuple[dict[str, Any], bytearray]:
        """The next header and its payload."""
        size = int.from_bytes(self._exactly(4), "little")
        if size > MAX_HEADER_BYTES:
            raise _ChildDiedError("the decoder sent nonsense")
        header = json.loads(bytes(self._exactly(size)))
        num_bytes = int(header.get("num_bytes", 0))
        if not 0 <= num_bytes <= MAX_PAYLOAD_BYTES:
            raise _ChildDiedError("the decoder sent nonsense")
        return header, self._exactly(num_bytes)

    def _exactly(self, num_bytes: int) -> bytearray:
        buffer = bytearray(num_bytes)
        view = memoryview(buffer)
        while view:
            self._wait()
            num = os.readv(self._descriptor, [view])
            if num == 0:
                raise _ChildDiedError(self._epitaph())
            view = view[num:]
        return buffer

    def _wait(self) -> None:
        if self._patience is None:
            return
        began = time.monotonic()
        ready, _, _ = select.select([self._descriptor], [], [], max(self._patience, 0.0))
        self._patience -= time.monotonic() - began
        if not ready:
            raise MediaError("timeout", "decoding took longer than --timeout allows")

    def _epitaph(self) -> str:
        code = self._child.wait()
        reason = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"the decoder crashed on this file ({reason})"
