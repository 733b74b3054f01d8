"""Decoded clips kept on disk, so that later epochs cost no decoding.

Each video leaves one .npy file, named after its path, size, time of change and how it was
sampled, so that nothing stale is read. Deleting the folder is always safe.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hiera_cli.errors import MediaError
from hiera_cli.files import output_errors, replacing

Pixels = npt.NDArray[np.uint8]


def cached_pixels(folder: Path, path: str, *, settings: str, make: Callable[[], Pixels]) -> Pixels:
    """The array kept for a file under these settings, made and kept when there is none.

    Args:
        folder: the cache; created when missing.
        path: the file that the pixels come from.
        settings: everything that the pixels depend on besides the file.
        make: decodes the file.

    Returns:
        A memory map of the array; changes to it stay private.

    Raises:
        MediaError: the file is gone, or `make` could not read it.
        OutputError: the cache cannot be written.
    """
    kept = folder / f"{_fingerprint(path, settings)}.npy"
    if not kept.exists():
        _write(kept, make())
    pixels: Pixels = np.load(kept, mmap_mode="c")  # copy on write: torch wants writable memory
    return pixels


def _fingerprint(path: str, settings: str) -> str:
    try:
        status = os.stat(path)  # noqa: PTH116 - paths may be surrogate-escaped bytes
    except FileNotFoundError as error:
        raise MediaError("not_found", "no such file") from error
    except ValueError as error:  # a NUL in the name
        raise MediaError("not_found", str(error)) from error
    except OSError as error:
        raise MediaError("permission", str(error.strerror)) from error
    facts = f"{os.path.abspath(path)}\0{status.st_size}\0{status.st_mtime_ns}\0{settings}"  # noqa: PTH100
    return hashlib.sha256(facts.encode(errors="surrogateescape")).hexdigest()[:32]


def _write(kept: Path, pixels: Pixels) -> None:
    """Write whole, then rename: another process never reads half a file."""
    with output_errors(kept.parent):
        kept.parent.mkdir(parents=True, exist_ok=True)
    with replacing(kept) as part, part.open("wb") as file:
        np.save(file, pixels)
