"""What people and scripts see: data on stdout, everything else on stderr."""

import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, TypeVar

from hiera_cli.cli.bar import Bar
from hiera_cli.cli.batch import follow as lines_of_json
from hiera_cli.cli.batch import note_said, wants_json
from hiera_cli.cli.terminal import columns, draws_bars, is_terminal
from hiera_cli.cli.width import columns_of, shorten, wrap
from hiera_cli.errors import Failure, HieraError
from hiera_cli.inputs import printable

if TYPE_CHECKING:
    from rich.console import Console

Item = TypeVar("Item")
_WORK: list[Bar] = []  # what the running command counted last
SHORTEST_PATH = 20  # columns


def say(message: str) -> None:
    """A line on stderr, if there is one, and in the log file if there is one."""
    note_said(printable(message))
    _write(message)


def _write(message: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(printable(message) + "\n")
        sys.stderr.flush()


def show_error(error: HieraError) -> None:
    """An error and its hint, a line each."""
    say(f"error: {error.message}")
    if error.hint:
        say(f"hint: {error.hint}")


def begin() -> None:
    """A command begins: nothing is finished yet."""
    _WORK.clear()


def follow(bar: Bar) -> Bar:
    """Take note of a piece of work, so that an interrupt can tell how far it was."""
    _WORK[:] = [bar]
    return bar


def show_interrupt(*, resumes: bool) -> None:
    """What an interrupt leaves, in one line.

    Args:
        resumes: whether the same command, given again, goes on where it was.
    """
    counts = ""
    for bar in _WORK:
        of = f" of {bar.total}" if bar.total else ""
        counts = f": {bar.done}{of} {bar.unit}"
    again = "; the same command goes on from there" if resumes else ""
    say(f"interrupted; finished work is kept{counts}{again}")


def show_failure(failure: Failure) -> None:
    """One bad input in one line."""
    what = f": {printable(failure.message)} ({failure.kind})"
    room = max(width_of(sys.stderr) - len("failed: ") - columns_of(what), SHORTEST_PATH)
    say(f"failed: {shorten(printable(failure.path), room)}{what}")


def show_warnings(path: str, warnings: Iterable[str]) -> None:
    """What was wrong with an input although it could be used, a line each."""
    for warning in warnings:
        say(f"warning: {path}: {warning}")


def page(stream: IO[str]) -> "Console":
    """What draws styled text on a stream; a closed pipe is an error as on any other stream."""
    from rich.console import Console

    class Page(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich would end the process with exit code 1

    plain = bool(os.environ.get("NO_COLOR"))  # rich itself would leave bold and dim
    return Page(
        file=stream, highlight=False, soft_wrap=True, color_system=None if plain else "auto"
    )


def wrapped(text: str, stream: IO[str], *, indent: int = 2) -> str:
    """A line of text, on a terminal broken between words into lines that fit it."""
    return "\n".join(wrap(text, width_of(stream), indent=indent))


def show_lines(lines: Iterable[str], *, indent: int = 2) -> None:
    """Lines on stdout whose names cannot act on the terminal, broken where it is narrower."""
    for line in lines:
        sys.stdout.write(wrapped(printable(line), sys.stdout, indent=indent) + "\n")


def show_facts(facts: Iterable[tuple[str, str]], *, width: int = 14) -> None:
    """A table of names and values on stdout."""
    show_lines((f"{name:{width - 1}} {value}" for name, value in facts), indent=width)


def width_of(stream: IO[str]) -> float:
    """Columns that a line may have; no bound where there is no terminal."""
    return columns(stream) if is_terminal(stream) else float("inf")


def fit(text: str, stream: IO[str], *, beside: int = 0) -> str:
    """The text, shortened in its middle to what a terminal has beside so many columns."""
    return shorten(text, columns(stream) - beside) if is_terminal(stream) else text


class _StderrHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        prefix = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        _write(prefix + record.getMessage())


def set_up_logging(*, quiet: bool, verbose: bool) -> None:
    """Show what the library logs: notices as they are, warnings marked, debug with -v."""
    logger = logging.getLogger("hiera_cli")
    logger.handlers[:] = [_StderrHandler()]
    logger.propagate = False
    logger.setLevel(logging.ERROR if quiet else logging.DEBUG if verbose else logging.INFO)


def progress(
    items: Iterable[Item],
    *,
    total: int | Callable[[], int | None] | None,
    unit: str,
    quiet: bool,
    note: Callable[[], str] | None = None,
    done: int = 0,
) -> Iterator[Item]:
    """The items, with a progress bar on stderr while they come, if stderr is a terminal.

    Args:
        items: what is passed on.
        total: how many will come, if that is known; a function where it is found out meanwhile.
        unit: what one of them is called.
        quiet: show nothing.
        note: what the bar says besides, asked again when it is drawn.
        done: how many of the total were finished before.
    """
    if wants_json.get() and not quiet:
        yield from lines_of_json(items, total=_known(total), unit=unit)
        return
    bar = follow(Bar(total=_known(total), unit=unit, note=note, done=done))
    if draws_bars() and not quiet:
        bar.open()
    try:
        for item in items:
            bar.total = _known(total)
            yield item
            bar.done += 1
    finally:
        bar.close()


def _known(total: int | Callable[[], int | None] | None) -> int | None:
    return total() if callable(total) else total


@contextmanager
def waiting(what: str, *, quiet: bool) -> Iterator[None]:
    """Say on a terminal, while the block lasts, what is waited for and for how long."""
    if quiet or not draws_bars():
        yield
        return
    bar = Bar(label=printable(what)).open()
    try:
        yield
    finally:
        bar.close()


def byte_progress(*, quiet: bool) -> Callable[[str, int, int | None], None] | None:
    """A bar on stderr for bytes that arrive, if stderr is a terminal; None where it is not."""
    if quiet or not draws_bars():
        return None
    bars: dict[str, Bar] = {}

    def show(name: str, done: int, total: int | None) -> None:
        if name not in bars:
            bars[name] = Bar(label=printable(name), unit="B", done=done, total=total).open()
        bars[name].done, bars[name].total = done, total
        if done == total:
            bars[name].close()

    return show
