"""Runs commands in copies of one process that has imported everything already.

A process of its own spends two seconds on imports, which a test of every command in every way has
not. `Warm` is forked for each command; the copy gets the streams it is given and ends as any
interpreter does.
"""

import atexit
import fcntl
import gc
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

SECONDS = 120
CLOSED = -1
_WITHOUT = ("hiera_cli.distributed", "hiera_cli.__main__")


class Warm:
    """The process that is copied; a context manager. One command at a time."""

    def __init__(self) -> None:
        self.cpu_seconds = 0.0  # that the last command took itself
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel.settimeout(SECONDS)
        path = os.pathsep.join(path for path in sys.path if path)
        self._process = subprocess.Popen(
            [sys.executable, "-c", "import tests.warm; tests.warm.serve()", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            cwd=Path(__file__).parents[1],
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path},
        )
        theirs.close()

    def start(
        self,
        arguments: Sequence[str],
        streams: Sequence[int],
        *,
        cwd: Path,
        environment: Mapping[str, str] | None = None,
        interrupt: float | None = None,
    ) -> None:
        """Start `hiera`.

        Args:
            arguments: what follows its name.
            streams: descriptors for stdin, stdout and stderr, or `CLOSED`.
            cwd: where it starts.
            environment: what is added to the environment.
            interrupt: seconds of its own CPU time after which it gets a SIGINT.
        """
        request = {
            "arguments": list(arguments),
            "is_open": [descriptor != CLOSED for descriptor in streams],
            "cwd": str(cwd),
            "environment": dict(environment or {}),
            "interrupt": interrupt,
        }
        given = [descriptor for descriptor in streams if descriptor != CLOSED]
        socket.send_fds(self._channel, [json.dumps(request).encode()], given)

    def wait(self) -> int:
        """The exit code of what was started last, negative where a signal ended it."""
        while (word := self._channel.recv(100).decode()).startswith("seconds"):
            self.cpu_seconds = float(word.split()[1])
        return int(word)

    def __enter__(self) -> "Warm":
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()
        self._process.wait(SECONDS)


def serve() -> None:
    """Become a copy that runs a command for every request on the socket named in `sys.argv`."""
    for module in pkgutil.walk_packages(import_module("hiera_cli").__path__, "hiera_cli."):
        if not module.name.startswith(_WITHOUT):
            import_module(module.name)
    gc.freeze()  # or the first collection in each copy would touch, and so copy, everything
    channel = socket.socket(fileno=int(sys.argv[1]))
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, 1 << 16, 3)
        if not message:
            return
        child = os.fork()
        if child == 0:
            _become(json.loads(message), descriptors, channel)
        for descriptor in descriptors:
            os.close(descriptor)
        channel.send(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())


def _become(request: dict[str, Any], descriptors: list[int], channel: socket.socket) -> NoReturn:
    """Run the command as if the interpreter had been started for it."""
    os.setsid()
    given = iter(descriptors)
    for number, is_open in enumerate(request["is_open"]):
        os.dup2(next(given), number) if is_open else os.close(number)
    for descriptor in descriptors:
        os.close(descriptor)
    if request["is_open"][0]:
        with suppress(OSError):  # no terminal
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.chdir(request["cwd"])
    os.environ |= request["environment"]
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        is_open = request["is_open"][number]
        stream = open(number, "w" if number else "r") if is_open else None  # noqa: SIM115
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    sys.argv = ["hiera", *request["arguments"]]
    if request["interrupt"] is not None:
        signal.signal(signal.SIGPROF, lambda *_: os.kill(os.getpid(), signal.SIGINT))
        signal.setitimer(signal.ITIMER_PROF, request["interrupt"])
    began = time.process_time()
    code = _ended()
    channel.send(f"seconds {time.process_time() - began}".encode())
    os._exit(code)


def _ended() -> int:
    """The exit code of the command, after all that an interpreter does at its end.

    It ends here because taking all modules down would copy the memory that is shared.
    """
    from hiera_cli.cli.app import main

    code = 0
    try:
        main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            code = 120
    return code
