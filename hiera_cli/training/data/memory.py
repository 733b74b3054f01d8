"""Decoded pixels kept in memory from one visit to the next, as far as there is room."""

from collections.abc import Callable, Hashable

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

MEMORY_BYTES = 2**28  # in each process that decodes: 87,000 pictures of 32 pixels, 1,780 of 224


class PixelMemory:
    """Pixels of pictures and clips that are small enough to be kept.

    What came first stays. Passes visit everything in another order each time, so that putting out
    the oldest would often put out what comes next.

    Args:
        room_bytes: of all that is kept together.
    """

    def __init__(self, room_bytes: int = MEMORY_BYTES) -> None:
        self._room_bytes = room_bytes
        self._kept: dict[Hashable, Pixels] = {}

    def get(self, key: Hashable, make: Callable[[], Pixels]) -> Pixels:
        """The pixels kept under a key; otherwise those of `make`, kept if they fit."""
        kept = self._kept.get(key)
        if kept is not None:
            return kept
        made = make()
        if made.nbytes > self._room_bytes:
            return made
        kept = np.array(made)  # a copy: what was made may be a map of a file
        self._room_bytes -= kept.nbytes
        self._kept[key] = kept
        return kept
