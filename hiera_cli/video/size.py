"""The size of a resized picture: SlowFast's rule."""

from math import floor


def resized_size(height: int, width: int, short_side: int) -> tuple[int, int]:
    """(height, width) after the shorter side became `short_side`; the longer is rounded down.

    A picture whose shorter side is that long already stays as it is.
    """
    if min(height, width) == short_side:
        return height, width
    if width <= height:
        return floor(height / width * short_side), short_side
    return short_side, floor(width / height * short_side)
