"""Features as arrays, a file a video, in the layouts that programs for temporal localisation load.

npy             OUT/PATH.npy (T, C) float32, and OUT/PATH.json with the times of the windows
actionformer    OUT/STEM.npy (T, C) float32, as ActionFormer and OpenTAD read them, and STEM.json
video-features  OUT/STEM_MODEL.npy (T, C) float32 and OUT/STEM_timestamps_ms.npy (T,) float64
"""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from hiera_cli.errors import UsageError
from hiera_cli.files import output_errors, replacing, write_text
from hiera_cli.options import ArrayLayout
from hiera_cli.tables import read_metadata, read_rows
from hiera_cli.tables.reading import read_keys
from hiera_cli.tables.stored import local_table

Columns = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Exported:
    """A video whose features are in a file of their own."""

    path: str
    file: Path
    num_clips: int


def export_arrays(
    table: str | os.PathLike[str], folder: Path, layout: ArrayLayout
) -> Iterator[Exported]:
    """Write the features of every video of a table, one video in memory at a time.

    Args:
        table: a file or folder that `extract-features` wrote, or its URL.
        folder: where the arrays go.
        layout: how they are named.

    Raises:
        UsageError: no such table, or two videos would have the same file.
        OutputError: a file cannot be written.
    """
    with local_table(table) as place:
        metadata = read_metadata(place)
        files = _files(read_keys(place), folder, layout, metadata["model"])
        for path, rows in _videos(read_rows(place)):
            shape = (-1, *metadata["feature_shape"])
            features = rows["feature"].astype(np.float32).reshape(shape)
            _write(files[path], features)
            if layout == "video-features":
                stem = PurePosixPath(path).stem
                _write(folder / f"{stem}_timestamps_ms.npy", 1000 * rows["start_seconds"])
            else:
                write_text(files[path].with_suffix(".json"), _sidecar(path, rows, metadata))
            yield Exported(path, files[path], len(features))


def _files(paths: Iterable[str], folder: Path, layout: ArrayLayout, model: str) -> dict[str, Path]:
    """The file of each video."""
    found: dict[str, Path] = {}
    owners: dict[Path, str] = {}
    for path in sorted(paths):
        stem = PurePosixPath(path).stem
        names = {"npy": _below(path), "actionformer": stem, "video-features": f"{stem}_{model}"}
        found[path] = folder / f"{names[layout]}.npy"
        other = owners.setdefault(found[path], path)
        if other != path:
            raise UsageError(
                f"'{other}' and '{path}' would both be '{found[path].name}'",
                hint="use --export npy, which keeps folders, and names that differ",
            )
    return found


def _below(path: str) -> str:
    """The path without its suffix, as one that cannot lead out of a folder."""
    parts = PurePosixPath(path.replace("://", "/")).with_suffix("").parts
    return "/".join(part.replace("..", "_") for part in parts if part not in ("/", "."))


def _videos(batches: Iterable[Columns]) -> Iterator[tuple[str, Columns]]:
    """The rows of each video, which lie one after the other."""
    held: list[Columns] = []
    for batch in batches:
        starts = np.flatnonzero(batch["path"][1:] != batch["path"][:-1]) + 1
        for first, last in zip((0, *starts), (*starts, len(batch["path"])), strict=True):
            rows = {name: values[first:last] for name, values in batch.items()}
            if held and held[0]["path"][0] != rows["path"][0]:
                yield _joined(held)
                held = []
            held.append(rows)
    if held:
        yield _joined(held)


def _joined(pieces: list[Columns]) -> tuple[str, Columns]:
    columns = {name: np.concatenate([rows[name] for rows in pieces]) for name in pieces[0]}
    return str(columns["path"][0]), columns


def _sidecar(path: str, rows: Columns, metadata: dict[str, Any]) -> str:
    starts, ends = rows["start_seconds"], rows["end_seconds"]
    protocol = metadata["protocol"]
    return json.dumps(
        {
            "path": path,
            "model": metadata["model"],
            "num_frames": protocol["num_frames"],
            "frame_stride": protocol["frame_stride"],
            "hop_seconds": protocol["hop_seconds"],
            "start_seconds": starts.tolist(),
            "end_seconds": ends.tolist(),
        }
    )


def _write(file: Path, array: npt.NDArray[Any]) -> None:
    with output_errors(file):
        file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as part, part.open("wb") as stream:
        np.save(stream, array)
