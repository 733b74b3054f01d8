"""The progress bar: how far a piece of work is, as one line of text that fits any terminal."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from hiera_cli.cli.terminal import TERMINAL
from hiera_cli.cli.width import columns_of, shorten

_WIDEST, _NARROWEST = 30, 6  # columns of the bar itself


@dataclass(eq=False)
class Bar:
    """How far a piece of work is; shown from `open` to `close`.

    Attributes:
        total: how much there is, if that is known.
        unit: what is counted; `B` for bytes.
        label: what is worked on.
        done: how much is finished.
        note: what else there is to say, asked for whenever the bar is drawn.
    """

    total: int | None = None
    unit: str = ""
    label: str = ""
    done: int = 0
    note: Callable[[], str] | None = None
    clock: Callable[[], float] = time.monotonic
    _first: int = field(init=False, default=0)
    _began: float = field(init=False, default=0.0)

    def open(self) -> "Bar":
        """Show it."""
        self._first, self._began = self.done, self.clock()
        TERMINAL.open(self)
        return self

    def close(self) -> None:
        """Take it away; another one in its place stays."""
        if TERMINAL.bar is self:
            TERMINAL.close()

    def text(self, width: int) -> str:
        """The bar as text of at most `width` columns; what matters least is left out first."""
        note = self.note() if self.note is not None else ""
        label = shorten(self.label, max(width // 3, 12))
        for parts in (
            (label, self.counts(), self._times(), note),
            (label, self.counts(), self._times()),
            (label, self.counts()),
            (self.counts(),),
        ):
            said = [part for part in parts if part]
            room = width - sum(columns_of(part) + 1 for part in said) - len("100% ")
            if room >= _NARROWEST and self.total:
                return self._drawn(said, first=label in parts, width=min(room, _WIDEST))
            if " ".join(said) and columns_of(" ".join(said)) <= width and not self.total:
                return " ".join(said)
        return shorten(self.counts() or label, width)

    def _drawn(self, said: list[str], *, first: bool, width: int) -> str:
        share = min(self.done / (self.total or 1), 1.0)
        bar = ("━" * int(share * width)).ljust(width)
        head, rest = (said[:1], said[1:]) if first and self.label else ([], said)
        return " ".join([*head, f"{int(100 * share):3d}%", bar, *rest])

    def counts(self) -> str:
        """How much of how much is done, with the unit."""
        if self.unit == "B":
            of = f" of {_megabytes(self.total)}" if self.total else ""
            return f"{_megabytes(self.done)}{of} MB"
        if self.total:
            return f"{self.done}/{self.total} {self.unit}"
        return f"{self.done} {self.unit}" if self.unit else ""

    def _times(self) -> str:
        passed = self.clock() - self._began
        num = self.done - self._first
        if not self.total or num < 1:
            return _clock(passed)
        return f"{_clock(passed)}, {_clock(passed * (self.total - self.done) / num)} left"


@contextmanager
def closing_bar() -> Iterator[None]:
    """Take whatever bar is shown away when the block ends, however it does."""
    try:
        yield
    finally:
        TERMINAL.close()


def _megabytes(num_bytes: int | None) -> str:
    return f"{(num_bytes or 0) / 1e6:.1f}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(max(round(seconds), 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
