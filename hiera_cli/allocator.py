"""The C library's allocator: whether freed memory goes back to the system at once."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h
NEVER, NO_MAPPINGS = -1, 0


def keep_freed_memory() -> bool:
    """Let this process keep what it frees, for the next tensors; for good, and only with glibc.

    glibc maps every large block afresh and unmaps it when it is freed, so each activation of each
    training step is cleared by the kernel page by page, in about 400,000 page faults a step of
    Hiera-B. With its blocks kept a dense step takes 0.8 and a masked one 0.85 to 0.9 of the time
    (README, "Speed and exports"). The price: memory stays at its peak between steps, which is
    where the next one takes it anyway.

    Returns:
        Whether anything was changed: False where the C library is another one.
    """
    if sys.platform != "linux":
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):  # musl and Android number them otherwise
        return False
    kept = library.mallopt(M_MMAP_MAX, NO_MAPPINGS), library.mallopt(M_TRIM_THRESHOLD, NEVER)
    return all(kept)
