"""Errors that users meet, each with the next thing to do and the exit code it leads to.

    HieraError                 1   anything we raise on purpose
    ├── UsageError             2   a flag, name or file that cannot mean anything
    ├── MediaError             3   one input that cannot be read; becomes a Failure record
    ├── NoInputError           4   nothing to work on
    ├── WeightsError           5   a model or its weights are not available or not usable
    └── OutputError            1   a result could not be written

A `MediaError` never stops a run over many inputs: the loader turns it into a `Failure`,
which travels along in the place of the video's result.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

FailureKind = Literal[
    "not_found",
    "permission",
    "not_a_video",
    "no_video_stream",
    "no_frames",
    "corrupt",
    "too_large",
    "timeout",
    "internal",
]


class HieraError(Exception):
    """Base of all errors raised on purpose.

    Args:
        message: what is wrong, with the offending value.
        hint: the next action, ideally a command to type; empty when there is none.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(HieraError):
    """A request that cannot be carried out as stated."""

    exit_code = 2


class MediaError(HieraError):
    """One input file that cannot be read as video."""

    exit_code = 3

    def __init__(self, kind: FailureKind, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.kind: FailureKind = kind


class NoInputError(HieraError):
    """No input was found at all."""

    exit_code = 4


class WeightsError(HieraError):
    """A model, or weights for it, that are not available or do not fit."""

    exit_code = 5


class OutputError(HieraError):
    """A result that could not be written."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What became of an input that gave no result."""

    path: str
    kind: FailureKind
    message: str
