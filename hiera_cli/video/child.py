"""The decoding child: requests on stdin, answers on stdout, and little that it may do besides.

It imports PyAV and NumPy only.

    request   one line of JSON on the child's stdin
    answer    messages on its stdout: length of the header (4 bytes), header (JSON), payload;
              or the header says at which `offset` of the shared memory the payload lies
    copied    an empty line on its stdin for each payload there, once it has been copied
"""

import ctypes
import json
import os
import signal
import sys
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from typing import IO, Any

from hiera_cli.errors import MediaError
from hiera_cli.video.decode import Finished, Limits, decode_video, probe
from hiera_cli.video.sampling import Protocol
from hiera_cli.video.shared import FrameSink
from hiera_cli.video.wire import Event, pack_event

CHILD_MEMORY_BYTES = 8 << 30


class _Answers:
    """What is sent to the parent: small things through the pipe, frames through shared memory."""

    def __init__(self, pipe: IO[bytes], frames: FrameSink | None) -> None:
        self._pipe = pipe
        self._frames = frames

    def begin(self) -> None:
        """The parent has taken all answers to earlier requests."""
        if self._frames is not None:
            self._frames.forget()

    def send(self, header: dict[str, Any], payload: list[memoryview]) -> None:
        """Send one message."""
        header = {**header, "num_bytes": sum(part.nbytes for part in payload)}
        if "frame" in header and self._frames is not None:
            offset = self._frames.place(payload[0])
            if offset is not None:
                header, payload = {**header, "offset": offset}, []
        text = json.dumps(header).encode()
        self._pipe.write(len(text).to_bytes(4, "little") + text)
        for part in payload:
            self._pipe.write(part)
        self._pipe.flush()


def _serve(requests: IO[bytes], answers: _Answers) -> None:
    """Answer requests until there are no more; lines that nobody waited for are left over."""
    for line in iter(requests.readline, b""):
        if line.strip():
            answers.begin()
            for header, payload in _answers(json.loads(line)):
                answers.send(header, payload)


def _answers(request: dict[str, Any]) -> Iterator[tuple[dict[str, Any], list[memoryview]]]:
    try:
        with closing(_events(request)) as events:
            for event in events:
                yield pack_event(event)
    except MediaError as error:
        yield {"error": error.kind, "message": error.message}, []
    except MemoryError:
        yield {"error": "too_large", "message": "not enough memory to decode this video"}, []
    except Exception as error:  # noqa: BLE001 - whatever a file does, the child must answer
        yield {"error": "internal", "message": f"{type(error).__name__}: {error}"}, []


def _events(request: dict[str, Any]) -> Generator[Event, None, None]:
    path = os.fsdecode(bytes.fromhex(request["path"]))
    limits = Limits(**request["limits"])
    if "count" in request:
        yield Finished(probe(path, count=request["count"], limits=limits), ())
        return
    yield from decode_video(
        path,
        Protocol(**request["protocol"]),
        limits=limits,
        threads=request["threads"],
        square_pixels=request["square_pixels"],
    )


def _confine(parent: int) -> None:
    """Bound what this process can do: memory, no files written, gone when its parent is."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard == resource.RLIM_INFINITY or hard > CHILD_MEMORY_BYTES:
        resource.setrlimit(resource.RLIMIT_AS, (CHILD_MEMORY_BYTES, hard))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os._exit(0)


def main() -> None:
    """Run as the child of process `argv[1]`, with the shared memory `argv[2]` if there is one."""
    pipe, requests = os.fdopen(os.dup(1), "wb"), sys.stdin.buffer
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nothing else may reach the answers
    _confine(int(sys.argv[1]))
    shared = [int(descriptor) for descriptor in sys.argv[2:]]

    def wait_for_copy() -> None:
        if not requests.readline():
            raise BrokenPipeError

    frames = FrameSink(shared[0], wait_for_copy) if shared else None
    with suppress(BrokenPipeError, KeyboardInterrupt):
        _serve(requests, _Answers(pipe, frames))


if __name__ == "__main__":
    main()
