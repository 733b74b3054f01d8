"""What people and scripts see: data on stdout, everything else on stderr."""

import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import IO, TYPE_CHECKING, Any, TypeVar

from hiera_cli.cli.batch import follow, note_said, wants_json
from hiera_cli.errors import Failure, HieraError
from hiera_cli.inputs import printable

if TYPE_CHECKING:
    from rich.console import Console

Item = TypeVar("Item")


def say(message: str) -> None:
    """A line on stderr, and in the log file if there is one."""
    note_said(printable(message))
    _write(message)


def _write(message: str) -> None:
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


def page(stream: IO[str]) -> "Console":
    """What draws styled text on a stream; a closed pipe is an error as on any other stream."""
    from rich.console import Console

    class Page(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich would end the process with exit code 1

    return Page(file=stream, highlight=False, soft_wrap=True)


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
    total: int | None,
    unit: str,
    quiet: bool,
    note: Callable[[], str] | None = None,
) -> Iterator[Item]:
    """The items, with a progress bar on stderr while they come, if stderr is a terminal.

    Args:
        items: what is passed on.
        total: how many will come, if that is known.
        unit: what one of them is called.
        quiet: show nothing.
        note: what the bar says besides, asked again when an item was dealt with.
    """
    if wants_json.get() and not quiet:
        yield from follow(items, total=total, unit=unit)
        return
    if quiet or not sys.stderr.isatty():
        yield from items
        return
    from tqdm import tqdm

    with tqdm(total=total, unit=f" {unit}", dynamic_ncols=True, leave=False) as bar:
        for item in items:
            yield item
            if note is not None:
                bar.set_postfix_str(note(), refresh=False)
            bar.update()


def byte_progress(*, quiet: bool) -> Callable[[str, int, int | None], None] | None:
    """A bar on stderr for bytes that arrive, if stderr is a terminal; None where it is not."""
    if quiet or not sys.stderr.isatty():
        return None
    from tqdm import tqdm

    bars: dict[str, Any] = {}

    def show(name: str, done: int, total: int | None) -> None:
        if name not in bars:
            bars[name] = tqdm(desc=printable(name), unit="B", unit_scale=True, leave=False)
        bar = bars[name]
        bar.total = total
        bar.update(done - bar.n)
        if done == total:
            bar.close()

    return show
