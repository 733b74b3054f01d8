"""The decoding child: requests on stdin, answers on stdout, and little that it may do besides.

It imports PyAV and NumPy only.

    request   one line of JSON on the child's stdin
    answer    messages on its stdout: length of the header (4 bytes), header (JSON), payload;
              or the header says at which `offset` of the shared memory the payload lies
    copied    an empty line on its stdin for each payload there, once it has been copied
    needed    an answer that names bytes of a file with holes; `filled` on its stdin when they are
              there
"""

import ctypes
import json
import os
import resource
import signal
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, suppress
from typing import IO, Any

from hiera_cli.errors import MediaError
from hiera_cli.video.decode import Finished, Limits, decode_video, probe
from hiera_cli.video.holes import Fill
from hiera_cli.video.isolation.shared_memory import FrameSink
from hiera_cli.video.isolation.wire import Event, pack_event, pack_need
from hiera_cli.video.protocols import Protocol

# Address space: what Python and FFmpeg take, and 32 pictures of six bytes a pixel, more than any
# codec keeps. It is also what holds FFmpeg where it decodes a picture before anybody can tell it
# how large one may be: while it finds out what streams an FLV file has.
_OWN_BYTES = 3 << 29
_BYTES_PER_PIXEL = 32 * 6


class _Sender:
    """Sends answers: small things through the pipe, frames through shared memory."""

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

    def note_copy(self) -> None:
        """The parent has copied one more frame."""
        if self._frames is not None:
            self._frames.note_copy()


def _serve(requests: IO[bytes], sender: _Sender) -> None:
    """Answer requests until there are no more; lines that nobody waited for are left over."""

    def fill(spans: Sequence[tuple[int, int]]) -> None:
        sender.send(pack_need(spans), [])
        for line in iter(requests.readline, b""):
            if line.strip():
                return
            sender.note_copy()
        raise BrokenPipeError

    for line in iter(requests.readline, b""):
        if line.strip():
            sender.begin()
            for header, payload in _answers(json.loads(line), fill):
                sender.send(header, payload)


def _answers(
    request: dict[str, Any], fill: Fill
) -> Iterator[tuple[dict[str, Any], list[memoryview]]]:
    try:
        with closing(_events(request, fill)) as events:
            for event in events:
                yield pack_event(event)
    except MediaError as error:
        yield {"error": error.kind, "message": error.message}, []
    except MemoryError:
        yield {"error": "too_large", "message": "not enough memory to decode this video"}, []
    except Exception as error:  # noqa: BLE001 - whatever a file does, the child must answer
        yield {"error": "internal", "message": f"{type(error).__name__}: {error}"}, []


def _events(request: dict[str, Any], fill: Fill) -> Generator[Event, None, None]:
    path = os.fsdecode(bytes.fromhex(request["path"]))
    limits = Limits(**request["limits"])
    _limit_memory(limits.max_pixels)
    if "count" in request:
        yield Finished(probe(path, count=request["count"], limits=limits), ())
        return
    yield from decode_video(
        path,
        Protocol(**request["protocol"]),
        limits=limits,
        threads=request["threads"],
        square_pixels=request["square_pixels"],
        fill=fill if request["has_holes"] else None,
    )


def memory_limit(max_pixels: int) -> int:
    """Bytes of address space for decoding pictures of so many pixels."""
    return _OWN_BYTES + _BYTES_PER_PIXEL * max_pixels


def _limit_memory(max_pixels: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = memory_limit(max_pixels)
    if hard == resource.RLIM_INFINITY or hard > limit:
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def _confine(parent: int) -> None:
    """Bound what this process can do: no files written, no dump of it, gone when its parent is."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a dump would hold other people's frames
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os._exit(0)


def main() -> None:
    """Run as the child of process `argv[1]`, with the shared memory `argv[2]` if there is one."""
    pipe, requests = os.fdopen(os.dup(1), "wb"), sys.stdin.buffer
    # libraries print to stdout when they please
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nothing else may reach the answers
    _confine(int(sys.argv[1]))
    shared = [int(descriptor) for descriptor in sys.argv[2:]]

    def wait_for_copy() -> None:
        if not requests.readline():
            raise BrokenPipeError

    frames = FrameSink(shared[0], wait_for_copy) if shared else None
    with suppress(BrokenPipeError, KeyboardInterrupt):
        _serve(requests, _Sender(pipe, frames))


if __name__ == "__main__":
    main()
