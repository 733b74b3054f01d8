"""What a table is about, in a line that another model or another input changes."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from hiera_cli.archives import split_archive
from hiera_cli.inputs import InputPath

DIGITS = 12  # of a hash that tells tables apart


def subject_of(model: str, files: Sequence[InputPath]) -> str:
    """The model and the videos, each by name, size and time of change.

    Args:
        model: zoo name, model folder or weights file.
        files: the videos; none stand for made-up ones.
    """
    weights = [model, *sorted(map(str, Path(model).iterdir()))] if Path(model).is_dir() else [model]
    videos = _mark(file.path for file in files) if files else "made up"
    return f"{model} ({_mark(weights)}), {len(files)} videos ({videos})"


def _mark(paths: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        for fact in (path, *_facts(path)):
            digest.update(f"{fact}\0".encode(errors="surrogateescape"))
    return digest.hexdigest()[:DIGITS]


def _facts(path: str) -> Iterator[int]:
    """Size and time of change of a file, or of the archive that it is in; none of a mere name."""
    archive = split_archive(path)
    try:
        found = os.stat(path if archive is None else archive[0])  # noqa: PTH116 - any bytes
    except (OSError, ValueError):
        return
    yield from (found.st_size, found.st_mtime_ns)
