"""Shapes of things in pictures as COCO writes them: polygons or run lengths, read without trust.

Run lengths go down the columns: so many pixels outside, so many inside, in turn. Files spell them
as a list of numbers, or as text of six bits a character (five of them digits, the sixth says that
more follow; from the fourth run on a number is the difference to the one two before).
"""

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hiera_cli.errors import UsageError

MIN_NUMBERS = 6  # three corners
FIRST_CHARACTER = 48
SIGN, MORE = 0x10, 0x20
MAX_PIXELS = 2**28
MAX_DIGITS = 7  # of 5 bits: beyond any picture


@dataclass(frozen=True, slots=True)
class Segmentation:
    """The shape of one thing.

    Attributes:
        polygons: x, y, x, y, … of each part in pixels; empty where there are runs.
        runs: lengths of runs of pixels outside and inside in turn, down the columns.
    """

    polygons: tuple["array[float]", ...] = ()
    runs: "array[int] | None" = None

    @property
    def is_empty(self) -> bool:
        """Whether it encloses nothing."""
        if self.runs is not None:
            return sum(self.runs[1::2]) == 0
        return all(_area(polygon) == 0 for polygon in self.polygons)


def read_segmentation(value: Any, what: str, *, width: int, height: int) -> Segmentation:
    """An annotation's `segmentation`, checked.

    Args:
        value: a list of polygons, or `{"size": [height, width], "counts": list or text}`.
        what: the annotation, for the message.
        width: of its picture in pixels.
        height: of its picture.

    Raises:
        UsageError: it is missing, or no shape in such a picture.
    """
    if value is None or value == []:
        hint = "masks are learnt from segmentations; boxes alone: --task boxes"
        raise UsageError(f"{what} has no segmentation", hint=hint)
    if width * height > MAX_PIXELS:
        raise UsageError(f"{what}: masks of {width} x {height} pixels are too large")
    if isinstance(value, dict):
        if value.get("size") != [height, width]:
            raise UsageError(
                f"{what}: run lengths of {value.get('size')} in a picture of {[height, width]}",
                hint="the size of run lengths is [height, width]",
            )
        return Segmentation(runs=_checked_runs(value.get("counts"), what, num=width * height))
    if not isinstance(value, list):
        raise UsageError(f"{what}: the segmentation is neither polygons nor run lengths")
    return Segmentation(tuple(_polygon(part, what, width, height) for part in value))


def run_lengths(mask: npt.NDArray[np.bool_]) -> list[int]:
    """The runs of a mask (H, W): pixels outside and inside in turn, down the columns."""
    flat = np.concatenate([[False], mask.ravel(order="F"), [not mask.ravel(order="F")[-1]]])
    ends = np.flatnonzero(flat[1:] != flat[:-1])
    found: list[int] = np.diff(ends, prepend=0).tolist()
    return found


def filled(runs: Sequence[int], *, width: int, height: int) -> npt.NDArray[np.bool_]:
    """The mask (H, W) of runs that fill it."""
    inside = np.arange(len(runs)) % 2 == 1
    return np.repeat(inside, runs).reshape(width, height).T


def numbers_of(text: str) -> list[int] | None:
    """The run lengths that a text spells; None where it spells none."""
    runs: list[int] = []
    value = shift = 0
    for character in text:
        digit = ord(character) - FIRST_CHARACTER
        if not 0 <= digit < 2 * MORE or shift >= 5 * MAX_DIGITS:
            return None
        value |= (digit & 0x1F) << shift
        shift += 5
        if digit & MORE:
            continue
        if digit & SIGN:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    return runs if shift == 0 else None


def is_finite(value: Any) -> bool:
    """Whether a value of a JSON file is a number that a float can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _polygon(part: Any, what: str, width: int, height: int) -> "array[float]":
    good = isinstance(part, list) and len(part) >= MIN_NUMBERS and len(part) % 2 == 0
    if not good or not all(is_finite(value) for value in part):
        raise UsageError(
            f"{what}: {str(part)[:60]} is no polygon", hint="three points or more: [x, y, x, y, …]"
        )
    far = max(abs(value) for value in part)
    if far > 10 * max(width, height):
        raise UsageError(f"{what}: a polygon reaches {far:g} in a picture of {width} x {height}")
    return array("f", part)


def _checked_runs(counts: Any, what: str, *, num: int) -> "array[int]":
    """Runs that fill `num` pixels, from either spelling."""
    runs = numbers_of(counts) if isinstance(counts, str) else counts
    whole = [run for run in runs or () if type(run) is int and 0 <= run <= num]
    if not isinstance(runs, list) or len(whole) != len(runs) or sum(whole) != num:
        raise UsageError(f"{what}: the run lengths do not fill its {num} pixels")
    return array("q", whole)


def _area(polygon: "array[float]") -> float:
    """Of a closed polygon in square pixels, by the shoelace formula."""
    x, y = np.array(polygon[::2], np.float64), np.array(polygon[1::2], np.float64)
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)
