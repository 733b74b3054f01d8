"""Geometry of a timeline plot: which classes get a row, and what stands where."""

from collections.abc import Sequence
from dataclasses import dataclass

from hiera_cli.report.palette import colour_of
from hiera_cli.tasks.timeline.segments import Segment
from hiera_cli.tasks.timeline.timeline import VideoTimeline

MAX_ROWS = 12
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)


@dataclass(frozen=True, slots=True)
class Row:
    """The ribbon of one class.

    Attributes:
        label: the class.
        index: its place among the classes of the model.
        colour: #RRGGBB.
        seconds: how long it holds in all.
        segments: when it holds.
    """

    label: str
    index: int
    colour: str
    seconds: float
    segments: tuple[Segment, ...]


def rows_of(video: VideoTimeline, *, limit: int = MAX_ROWS) -> tuple[Row, ...]:
    """The classes that hold somewhere, in the model's order, those that hold longest at most."""
    held: dict[str, float] = {}
    for segment in video.segments:
        length = segment.end_seconds - segment.start_seconds
        held[segment.label] = held.get(segment.label, 0.0) + length
    longest = sorted(held, key=lambda label: -held[label])[:limit]
    ordered = sorted(longest, key=video.labels.index)
    every = sorted(held, key=video.labels.index)  # a class has one colour, however many rows
    return tuple(
        Row(
            label=label,
            index=video.labels.index(label),
            colour=colour_of(every.index(label)),
            seconds=held[label],
            segments=tuple(s for s in video.segments if s.label == label),
        )
        for label in ordered
    )


def tick_seconds(length_seconds: float, *, most: int = 10) -> float:
    """A round distance of ticks such that there are at most so many."""
    return next((step for step in _STEPS if length_seconds / step <= most), _STEPS[-1] * 2)


def clock(seconds: float, *, step: float = 1.0) -> str:
    """A time for people: 0:07, 1:02:03, with tenths where ticks are that close."""
    sign = "-" if seconds < 0 else ""
    tenths = round(abs(seconds) * 10)
    whole, rest = divmod(tenths, 10)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    text = f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"
    return f"{sign}{text}.{rest}" if step < 1 else f"{sign}{text}"


def spread_times(start: float, end: float, num: int) -> Sequence[float]:
    """The middles of so many equal parts of a time."""
    return [start + (end - start) * (k + 0.5) / num for k in range(num)]
