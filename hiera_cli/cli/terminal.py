"""The terminal, which one sink owns: text is written above, and one bar at most stays below it.

Every command writes through `sys.stdout` and `sys.stderr`. `take_over` puts a `Stream` in the place
of each, so that whoever writes (a record, a warning, a library) has the bar cleared first and drawn
again after the line's end, and so that no stream can end a run: characters that it cannot hold are
replaced, and a stderr that is closed, full or gone is written to no more.
"""

import codecs
import os
import sys
import threading
from contextlib import suppress
from typing import IO, Any, Protocol

from hiera_cli.cli.width import wrap

DEFAULT_COLUMNS = 80
_REDRAW_SECONDS = 0.2
_ERASE = "\r\x1b[K"
_PLAIN = str.maketrans(
    {"━": "=", "─": "-", "│": "|", "×": "x", "–": "-", "—": "-", "…": "~", "·": "-", "‘": "'"}
    | {"’": "'", "“": '"', "”": '"', "°": "*", "−": "-", "→": ">"}
)


class Line(Protocol):
    """What can stay on the terminal's last line."""

    def text(self, width: int) -> str:
        """The line, as text of at most `width` columns."""


class Terminal:
    """What is on the terminal's last line: a bar, or the beginning of a line of text."""

    def __init__(self) -> None:
        self.bar: Line | None = None
        self.forget()

    def forget(self) -> None:
        """Begin anew, without a bar: a forked child has neither its parent's bar nor its locks."""
        self.lock = threading.RLock()
        self.bar = None
        self._is_drawn = False
        self._at_line_start = True
        self._ended = threading.Event()
        self._ticker: threading.Thread | None = None

    def open(self, bar: Line) -> None:
        """Show a bar from now on, in the place of one that is shown."""
        self.close()
        with self.lock:
            self.bar = bar
            self._ended = threading.Event()
            self._ticker = threading.Thread(target=self._tick, args=(self._ended,), daemon=True)
            self._ticker.start()
            self.draw()

    def close(self) -> None:
        """Take the bar away; no trace of it stays."""
        self._ended.set()
        with self.lock:
            self.clear()
            self.bar = None
        if self._ticker is not None:
            self._ticker.join()
            self._ticker = None

    def write(self, stream: IO[str], text: str) -> None:
        """Text for a stream that ends on the terminal, above the bar."""
        with self.lock:
            self.clear()
            stream.write(text)
            stream.flush()
            if text:
                self._at_line_start = text.endswith("\n")
            self.draw()

    def clear(self) -> None:
        """Take the bar off the screen."""
        if self._is_drawn:
            self._put(_ERASE)
            self._is_drawn = False

    def draw(self) -> None:
        """Put the bar, as it is now, on a line of its own."""
        if self.bar is not None and self._at_line_start:
            self._put(_ERASE + self.bar.text(columns(sys.stderr) - 1))
            self._is_drawn = True

    def _put(self, text: str) -> None:
        stream = sys.stderr.stream if isinstance(sys.stderr, Stream) else sys.stderr
        with suppress(OSError, ValueError):
            stream.write(text)
            stream.flush()

    def _tick(self, ended: threading.Event) -> None:
        """Time passes on the bar while nothing else happens."""
        while not ended.wait(_REDRAW_SECONDS):
            with self.lock:
                if not ended.is_set():
                    self.draw()


class Stream:
    """Stands in the place of `sys.stdout` or `sys.stderr`; all else is that of the stream itself.

    Args:
        stream: what is written to.
        terminal: who owns the terminal that it may end on.
        may_fail: whether a failed write is an error (data) or not worth one (messages). Messages
            are broken between words where the terminal is narrower; data is written as it is.
    """

    def __init__(self, stream: IO[str], terminal: Terminal, *, may_fail: bool) -> None:
        self.stream = stream
        self._terminal = terminal
        self._may_fail = may_fail
        self._on_terminal = is_terminal(stream)

    def write(self, text: str) -> int:
        """Write text; characters written."""
        try:
            if self._on_terminal:
                shown = text if self._may_fail else _in_lines(text, columns(self.stream))
                self._terminal.write(self.stream, shown)
                return len(text)
            return self.stream.write(text)
        except (OSError, ValueError):
            if self._may_fail:
                raise
            self._give_up()
            return len(text)

    def writelines(self, lines: Any) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Hand on what was written."""
        try:
            self.stream.flush()
        except (OSError, ValueError):
            if self._may_fail:
                raise
            self._give_up()

    def _give_up(self) -> None:
        """Nobody can read any more: the work goes on without it."""
        self.stream, self._on_terminal = _nowhere(), False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


TERMINAL = Terminal()


def take_over() -> None:
    """Have this process write through the sink only, whatever streams it was started with.

    Descriptors 0 to 2 that are closed are opened on nothing: the next file opened would take their
    number, and get what libraries write to them.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
    codecs.register_error("plain", _plain)
    os.register_at_fork(after_in_child=TERMINAL.forget)
    sys.stdout = _owned(sys.stdout, may_fail=True)
    sys.stderr = _owned(sys.stderr, may_fail=False)


def is_terminal(stream: Any) -> bool:
    """Whether a stream ends on a terminal; None, and one that is closed, do not."""
    try:
        return stream is not None and bool(stream.isatty())
    except ValueError:
        return False


def draws_bars() -> bool:
    """Whether stderr is a terminal that can take a line back."""
    return is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb"


def columns(stream: Any) -> int:
    """Width of the terminal that a stream ends on; 80 where there is none."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or DEFAULT_COLUMNS
    except (OSError, ValueError, AttributeError):
        return DEFAULT_COLUMNS


def _in_lines(text: str, width: int) -> str:
    """The text, with no line wider than the terminal unless a single word is."""
    return "\n".join(part for line in text.split("\n") for part in wrap(line, width, indent=2))


def _owned(stream: Any, *, may_fail: bool) -> Any:
    stream = _nowhere() if stream is None else stream
    stream.reconfigure(errors="plain")
    return Stream(stream, TERMINAL, may_fail=may_fail)


def _nowhere() -> IO[str]:
    return open(os.devnull, "w", encoding="utf-8", errors="plain")  # noqa: PTH123


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    """What stands for characters that an encoding lacks: ASCII that looks alike, or their codes."""
    assert isinstance(error, UnicodeEncodeError)
    text = error.object[error.start : error.end].translate(_PLAIN)
    return text.encode("ascii", "backslashreplace").decode("ascii"), error.end
