"""Rows of a table of features, some at a time, with unit vectors."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hiera_cli.archives import split_archive
from hiera_cli.errors import UsageError
from hiera_cli.tables import read_metadata, read_rows, take_rows

Vectors = npt.NDArray[np.float32]
COLUMNS = ("path", "clip_index", "start_seconds", "end_seconds", "feature")


@dataclass(frozen=True, slots=True)
class ClipRow:
    """One clip in a table: where it is from."""

    path: str
    clip_index: int
    start_seconds: float
    end_seconds: float


@dataclass(frozen=True, eq=False, slots=True)
class Rows:
    """Consecutive rows of a table.

    Attributes:
        first: position of the first one in the table.
        clips: where they are from.
        vectors: (N, D) float32 of length one.
    """

    first: int
    clips: tuple[ClipRow, ...]
    vectors: Vectors


def read_table_metadata(path: Path) -> dict[str, Any]:
    """What a table of features says about itself.

    Raises:
        UsageError: no table, or none of pooled features.
    """
    made = read_metadata(path)
    if made.get("kind") != "features":
        raise UsageError(f"{path} is no table of features")
    return made


def unit(vectors: npt.NDArray[Any], center: Vectors | None = None) -> Vectors:
    """(N, D) of any dtype to float32 of length one, after taking a center off."""
    values = vectors.astype(np.float32)
    if center is not None:
        values = values - center
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.maximum(lengths, 1e-12), dtype=np.float32)


def scan_rows(path: Path, *, center: Vectors | None = None) -> Iterator[Rows]:
    """The rows of a table in order, in bounded memory."""
    first = 0
    for batch in read_rows(path, columns=COLUMNS):
        clips = clip_rows(batch)
        yield Rows(first, clips, unit(batch["feature"], center))
        first += len(clips)


def clip_rows(batch: Mapping[str, npt.NDArray[Any]]) -> tuple[ClipRow, ...]:
    """Where the rows of a batch are from."""
    columns = (batch[name].tolist() for name in COLUMNS[:-1])
    return tuple(ClipRow(str(p), int(k), float(a), float(b)) for p, k, a, b in zip(*columns))  # noqa: B905


def table_mean(path: Path) -> Vectors:
    """The mean feature (D,) of a table, in one pass.

    Raises:
        UsageError: a table without rows.
    """
    total, num = None, 0
    for batch in read_rows(path, columns=["feature"]):
        part = batch["feature"].sum(axis=0, dtype=np.float64)
        total = part if total is None else total + part
        num += len(batch["feature"])
    if total is None or num == 0:
        raise UsageError(f"{path} holds no clips")
    return np.asarray(total / num, dtype=np.float32)


def row_at(path: Path, index: int) -> tuple[ClipRow, Vectors]:
    """One row and its feature (1, D), as it is.

    Raises:
        UsageError: the table has no such row.
    """
    for batch in take_rows(path, [index]) if index >= 0 else ():
        return clip_rows(batch)[0], batch["feature"].astype(np.float32)
    raise UsageError(f"{path} has no row {index}")


def find_video(name: str, made: Mapping[str, Any], root: str | None) -> str:
    """Where a video of a table is now: below `root`, or below the folders that it was read from."""
    folders = [root] if root is not None else list(made.get("roots", []))
    places = [os.path.join(folder, name) for folder in folders]  # noqa: PTH118
    return next((place for place in places if Path(place).exists() or split_archive(place)), name)
