"""Memory that a decoding child shares with its parent, so that frames need not pass a pipe.

The parent makes it and only reads it; the child writes frames into it in turn, and writes over one
only when the parent has copied it. Where a frame lies is the child's word, which the parent checks;
a child that lies can spoil nothing but its own frames. The memory has no name and cannot be made
smaller (that would kill whoever reads it), and it is gone when both processes are.
"""

import mmap
import os
import sys
from collections.abc import Callable

SHARED_BYTES = 64 << 20  # taken as it is used: four frames of the size at hand, if they fit
_NUM_FRAMES = 4


def make_shared_memory() -> int | None:
    """A descriptor that a child can inherit; None where the system has no such memory."""
    if sys.platform != "linux":
        return None
    import fcntl

    try:
        descriptor = os.memfd_create("frames", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    except OSError:
        return None
    os.ftruncate(descriptor, SHARED_BYTES)
    seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    return descriptor


class FrameSource:
    """The parent's end."""

    def __init__(self, descriptor: int) -> None:
        self._memory = mmap.mmap(descriptor, SHARED_BYTES, prot=mmap.PROT_READ)

    def copy(self, offset: int, num_bytes: int) -> bytearray:
        """What the child says is a frame.

        Raises:
            ValueError: it lies outside of the memory.
        """
        if not 0 <= offset <= offset + num_bytes <= SHARED_BYTES:
            raise ValueError(f"no frame can be at {offset}")
        with memoryview(self._memory) as whole, whole[offset : offset + num_bytes] as frame:
            return bytearray(frame)

    def close(self) -> None:
        """Give the memory back."""
        self._memory.close()


class FrameSink:
    """The child's end.

    Args:
        descriptor: of the memory.
        wait_for_copy: returns when the parent has copied one more frame.
    """

    def __init__(self, descriptor: int, wait_for_copy: Callable[[], None]) -> None:
        self._memory = memoryview(mmap.mmap(descriptor, SHARED_BYTES))
        self._wait_for_copy = wait_for_copy
        self.forget()

    def forget(self) -> None:
        """All frames so far have been copied."""
        self._frame_bytes, self._num_placed, self._num_waiting = 0, 0, 0

    def note_copy(self) -> None:
        """The parent has said that it copied one more frame, unasked."""
        self._num_waiting -= 1

    def place(self, frame: memoryview) -> int | None:
        """The offset at which the frame now lies; None for one that is too large."""
        num_places = min(_NUM_FRAMES, SHARED_BYTES // frame.nbytes)
        if num_places < 2:
            return None
        same_size = frame.nbytes == self._frame_bytes
        while self._num_waiting > (num_places - 1 if same_size else 0):
            self._wait_for_copy()
            self._num_waiting -= 1
        self._frame_bytes = frame.nbytes
        offset = self._num_placed % num_places * frame.nbytes
        self._memory[offset : offset + frame.nbytes] = frame
        self._num_placed += 1
        self._num_waiting += 1
        return offset
