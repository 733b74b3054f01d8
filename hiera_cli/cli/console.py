"""What people and scripts see: data on stdout, everything else on stderr."""

import logging
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from hiera_cli.errors import Failure, HieraError
from hiera_cli.inputs import printable

Item = TypeVar("Item")


def say(message: str) -> None:
    """A line on stderr."""
    sys.stderr.write(printable(message) + "\n")
    sys.stderr.flush()


def show_error(error: HieraError) -> None:
    """An error and its hint, a line each."""
    say(f"error: {error.message}")
    if error.hint:
        say(f"hint: {error.hint}")


def show_failure(failure: Failure) -> None:
    """One bad input in one line."""
    say(f"failed: {failure.path}: {failure.message} ({failure.kind})")


class _StderrHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        prefix = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        say(prefix + record.getMessage())


def set_up_logging(*, quiet: bool, verbose: bool) -> None:
    """Show what the library logs: notices as they are, warnings marked, debug with -v."""
    logger = logging.getLogger("hiera_cli")
    logger.handlers[:] = [_StderrHandler()]
    logger.propagate = False
    logger.setLevel(logging.ERROR if quiet else logging.DEBUG if verbose else logging.INFO)


def progress(items: Iterable[Item], *, total: int | None, unit: str, quiet: bool) -> Iterator[Item]:
    """The items, with a progress bar on stderr while they come, if stderr is a terminal."""
    if quiet or not sys.stderr.isatty():
        yield from items
        return
    from tqdm import tqdm

    bar: Any = tqdm(items, total=total, unit=f" {unit}", dynamic_ncols=True, leave=False)
    yield from bar
