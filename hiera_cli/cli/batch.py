"""What batch systems are told: progress as JSON lines, and a log file with times."""

import json
import logging
import os
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TypeVar

from hiera_cli.errors import Failure, UsageError

Item = TypeVar("Item")
INTERVAL_SECONDS = 10.0

wants_json: ContextVar[bool] = ContextVar("wants_json", default=False)
"""Whether progress is told in JSON lines; set where a command begins."""


class Account:
    """How far the work is.

    Args:
        total: how many items will come, or what says so; None where nobody knows.
        unit: what one of them is called.
    """

    def __init__(self, total: "int | Callable[[], int | None] | None", unit: str) -> None:
        self._total = total
        self._unit = unit
        self._begun = time.monotonic()
        self._num_done = self._num_failed = 0

    def count(self, item: object) -> None:
        """An item was dealt with."""
        self._num_done += 1
        self._num_failed += isinstance(item, Failure)

    def line(self, *, is_last: bool = False) -> str:
        """All of it as JSON; `eta_seconds` is null until it can be told."""
        total = self._total() if callable(self._total) else self._total
        seconds = time.monotonic() - self._begun
        rate = self._num_done / seconds if seconds else 0.0
        left = None if total is None or not rate else max(0, total - self._num_done) / rate
        return json.dumps(
            {
                "done": self._num_done,
                "failed": self._num_failed,
                "total": total,
                "unit": self._unit,
                "per_second": round(rate, 3),
                "elapsed_seconds": round(seconds, 1),
                "eta_seconds": None if left is None else round(left, 1),
                "memory_bytes": memory_bytes(),
                "finished": is_last,
            }
        )


def follow(
    items: Iterable[Item], *, total: "int | Callable[[], int | None] | None", unit: str
) -> Iterator[Item]:
    """The items, with a JSON line on stderr every ten seconds and at the end."""
    account, ended = Account(total, unit), threading.Event()

    def tell() -> None:
        while not ended.wait(INTERVAL_SECONDS):
            _write(account.line())

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        for item in items:
            yield item
            account.count(item)
    finally:
        ended.set()
        thread.join()
        _write(account.line(is_last=True))


def memory_bytes() -> int:
    """Memory that this process holds now; where the system does not say, the most it ever held."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return pages * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def logging_to(path: Path | None) -> Iterator[None]:
    """Add to a file, each with its time, what is logged and what is said, while the block lasts.

    Raises:
        UsageError: the file cannot be written.
    """
    if path is None:
        yield
        return
    try:
        handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UsageError(f"cannot write --log-file '{path}': {error.strerror}") from error
    form = logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S%z")
    handler.setFormatter(form)
    loggers = [logging.getLogger(name) for name in ("hiera_cli", SAID)]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
        handler.close()


SAID = "hiera_cli_said"  # no child of the package's logger, which writes to stderr


def note_said(message: str) -> None:
    """A line was written on stderr; the log file is to have it as well."""
    logger = logging.getLogger(SAID)
    if logger.handlers:
        logger.propagate = False
        logger.setLevel(logging.INFO)
        logger.info("%s", message)


def _write(line: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
