"""The decoding child: requests on stdin, answers on stdout, and little that it may do besides.

It imports PyAV and NumPy only.

    request   one line of JSON on the child's stdin
    answer    messages on its stdout: length of the header (4 bytes), header (JSON), payload
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
from hiera_cli.video.wire import Event, pack_event

CHILD_MEMORY_BYTES = 8 << 30


def _serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer requests until there are no more."""
    for line in iter(requests.readline, b""):
        for header, payload in _answers(json.loads(line)):
            num_bytes = sum(part.nbytes for part in payload)
            text = json.dumps({**header, "num_bytes": num_bytes}).encode()
            answers.write(len(text).to_bytes(4, "little") + text)
            for part in payload:
                answers.write(part)
            answers.flush()


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
    """Run as the child: requests on stdin, answers on stdout."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nothing else may reach the answers
    _confine(int(sys.argv[1]))
    with suppress(BrokenPipeError, KeyboardInterrupt):
        _serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
