"""How many columns text takes on a terminal, and how it is made to fit into fewer."""

import re
import unicodedata

GAP = "…"
NARROW_INDENT = 2  # of a word too wide for the indentation that was asked for


def columns_of(text: str) -> int:
    """Columns that a terminal gives to a line of text."""
    return sum(map(_columns, text))


def shorten(text: str, width: float) -> str:
    """The text, with what is in its middle left out if it is wider than `width` columns."""
    if columns_of(text) <= width:
        return text
    if width <= len(GAP):
        return GAP[: max(int(width), 0)]
    room = int(width) - len(GAP)
    tail = _leading(text[::-1], room - room // 2)[::-1]
    return _leading(text, room - columns_of(tail)) + GAP + tail


def wrap(text: str, width: float, *, indent: int) -> list[str]:
    """The text in lines of `width` columns at most, broken at spaces, all but the first indented.

    A word that is wider than a line stays whole, as a path must that somebody copies.
    """
    if columns_of(text) <= width:
        return [text]
    lines, room = [""], width
    for piece in re.findall(r" *[^ ]+", text):
        word = piece.lstrip(" ")
        if columns_of(piece) > room and lines[-1].strip():
            margin = indent if columns_of(word) <= width - indent else min(indent, NARROW_INDENT)
            lines.append(" " * margin + word)
        else:
            lines[-1] += piece
        room = width - columns_of(lines[-1])
    return lines


def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def _leading(text: str, width: int) -> str:
    """As much of the beginning as fits."""
    for place, character in enumerate(text):
        width -= _columns(character)
        if width < 0:
            return text[:place]
    return text
