"""The machine that this runs on: its cores, its processor, its memory. No torch."""

import ctypes
import os
import platform
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain
from pathlib import Path

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h
NEVER, NO_MAPPINGS = -1, 0


def usable_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def machine_name() -> str:
    """Processor and number of cores, such as `AMD EPYC 7763, 8 cores`."""
    processor = next(_processor_names(), platform.processor() or platform.machine())
    return f"{processor}, {os.cpu_count()} cores"


def _processor_names() -> Iterator[str]:
    """Model names that Linux states; nothing elsewhere."""
    yield from _stated("model name")


def _stated(what: str) -> Iterator[str]:
    """What Linux says of each core under that name; nothing elsewhere."""
    lines: Iterable[str] = ()
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == what:
            yield value.strip()


@cache
def has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 itself (x86: AVX-512, AMX; Arm: BF16)."""
    return bool(_flags() & {"avx512_bf16", "amx_bf16", "bf16"})


@cache
def has_bfloat16_tiles() -> bool:
    """Whether the processor multiplies tiles of bfloat16 (AMX)."""
    return "amx_bf16" in _flags()


def _flags() -> frozenset[str]:
    """What the first core can do, in the words of Linux; nothing elsewhere."""
    stated = next(chain(_stated("flags"), _stated("Features")), "")
    return frozenset(stated.split())


def keep_freed_memory() -> bool:
    """Let this process keep what it frees, for the next tensors; for good, and only with glibc.

    glibc maps large blocks afresh and unmaps them when they are freed, so that the kernel clears
    the activations of every step page by page: some 240,000 page faults in a training step of
    Hiera-B. With its memory kept a dense step takes 0.91 of the processor time on one core, a
    masked one 0.80; inference gains nothing that lasts. The price: the process stays as large as
    it was at its largest, so the training commands ask for this, which have a process of their
    own, and the library does not.

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
