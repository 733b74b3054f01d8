"""One decoding child as its parent sees it: started, asked, listened to, ended.

Nothing that it sends is believed: sizes are bounded and offsets checked before they are used.
"""

import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

from hiera_cli.errors import FailureKind, MediaError
from hiera_cli.video.isolation.shared_memory import FrameSource, make_shared_memory

GRACE_SECONDS = 5.0
MAX_HEADER_BYTES = 1 << 20
MAX_PAYLOAD_BYTES = 1 << 31
PIPE_BYTES = 1 << 20
_AHEAD_BYTES = 1 << 12
# What a process does to itself; any other signal was sent by somebody.
_CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT}
_CRASHES |= {signal.SIGSYS, signal.SIGTRAP}


class WorkerDiedError(Exception):
    """The child ended without an answer.

    Args:
        kind: whose fault that is: `corrupt`, the file's, or `internal`, nobody's who is known.
        message: how it ended.
    """

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(message)
        self.kind: FailureKind = kind
        self.message = message


class Worker:
    """A child that runs; it serves one request at a time.

    Raises:
        WorkerDiedError: it cannot be started.
    """

    def __init__(self) -> None:
        self._ahead = b""
        self._spare = bytearray(_AHEAD_BYTES)
        self._patience: float | None = None
        shared = make_shared_memory()
        try:
            self._frames = None if shared is None else FrameSource(shared)
            self._process = _start(shared)
        except OSError as error:
            raise WorkerDiedError("internal", f"no decoder can be started: {error}") from error
        finally:
            if shared is not None:
                os.close(shared)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def ask(self, request: dict[str, Any], timeout_seconds: float | None) -> None:
        """Send a request; its answers may be waited for so long, and a little longer."""
        self._patience = None if timeout_seconds is None else timeout_seconds + GRACE_SECONDS
        self._write(json.dumps(request).encode() + b"\n")

    def answer(self) -> tuple[dict[str, Any], bytearray]:
        """The next header and its payload, which nobody else can change.

        Raises:
            WorkerDiedError: it ended.
            MediaError: `timeout`.
            Exception: any, where it sends nonsense.
        """
        size = int.from_bytes(self._exactly(4), "little")
        header = json.loads(self._exactly(_bounded(size, MAX_HEADER_BYTES)))
        num_bytes = _bounded(header["num_bytes"], MAX_PAYLOAD_BYTES)
        if self._frames is None or "offset" not in header:
            return header, self._exactly(num_bytes)
        payload = self._frames.copy(header["offset"], num_bytes)
        self._write(b"\n")
        return header, payload

    def confirm(self) -> None:
        """Tell it that the bytes that it needs are there."""
        self._write(b"filled\n")

    def kill(self) -> None:
        """End it now; what waits for it will notice."""
        self._process.kill()

    def close(self) -> None:
        """End it and free what it held."""
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        self._process.wait()
        if self._frames is not None:
            self._frames.close()

    def _write(self, line: bytes) -> None:
        """Send a line; a child that never reads would have its parent wait, so that is its end."""
        assert self._process.stdin is not None
        try:
            num_sent = self._process.stdin.write(line)
        except OSError as error:
            raise self._death() from error
        if num_sent != len(line):
            raise WorkerDiedError("corrupt", "the decoder stopped listening")

    # multiprocessing.connection frames messages too, but waits without limit for the rest of one
    # whose first byte has come: a child that stops half-way would hold its parent for ever.
    def _exactly(self, num_bytes: int) -> bytearray:
        assert self._process.stdout is not None
        descriptor, result = self._process.stdout.fileno(), bytearray(num_bytes)
        num = min(num_bytes, len(self._ahead))
        result[:num], self._ahead = self._ahead[:num], self._ahead[num:]
        missing = memoryview(result)[num:]
        while missing:
            self._wait(descriptor)
            num = os.readv(descriptor, [missing, self._spare])
            if num == 0:
                raise self._death()
            self._ahead = bytes(self._spare[: max(0, num - len(missing))])
            missing = missing[num:]
        return result

    def _wait(self, descriptor: int) -> None:
        """Until there is something to read; only this time counts, not that of the consumer."""
        if self._patience is None:
            return
        began = time.monotonic()
        ready, _, _ = select.select([descriptor], [], [], max(self._patience, 0.0))
        self._patience -= time.monotonic() - began
        if not ready:
            raise MediaError("timeout", "decoding took longer than --timeout allows")

    def _death(self) -> WorkerDiedError:
        """How it ended, and whether that is the file's fault."""
        try:
            code = self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            return WorkerDiedError("corrupt", "the decoder fell silent on this file")
        if code >= 0:
            return WorkerDiedError("corrupt", f"the decoder ended on this file (exit code {code})")
        name = signal.Signals(-code).name
        if -code in _CRASHES:
            return WorkerDiedError("corrupt", f"the decoder crashed on this file ({name})")
        return WorkerDiedError(
            "internal",
            f"its decoder was killed from outside ({name}), by somebody or for lack of memory; "
            "the file may be good",
        )


def _bounded(size: Any, limit: int) -> int:
    if not isinstance(size, int) or not 0 <= size <= limit:
        raise ValueError(f"{size} bytes")
    return size


def _start(shared: int | None) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        "OMP_NUM_THREADS": "1",  # it computes nothing, and threads take address space
        "OPENBLAS_NUM_THREADS": "1",
    }
    inherited = [] if shared is None else [shared]
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "hiera_cli.video.isolation.child",
            str(os.getpid()),
            *map(str, inherited),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,  # Ctrl-C is for the parent, which keeps what is finished
        bufsize=0,
        pass_fds=inherited,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    os.set_blocking(process.stdin.fileno(), False)  # a child that never reads cannot hold us
    if sys.platform == "linux":
        with suppress(OSError):  # a limit of the system
            fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return process
