"""How many columns text takes on a terminal, and how it is made to fit into fewer."""

import unicodedata

GAP = "…"


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
