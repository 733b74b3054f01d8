"""Parquet files with videos in them, as Hugging Face `datasets` writes them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

FILE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
Row = tuple[str | None, bytes | None]


def write_media_table(
    path: Path,
    rows: Sequence[Row | None],
    *,
    kind: str | None = "Video",
    names: Sequence[str] = (),
    group_size: int | None = None,
    **columns: Sequence[Any],
) -> Path:
    """Write rows of (path, content), None for an empty one, with further columns.

    Args:
        kind: what the metadata say about the column; None: there are none.
        names: of the classes of the column `label`, as the metadata tell them.
        group_size: rows in a row group.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    structs = [row and {"path": row[0], "bytes": row[1]} for row in rows]
    table = pa.table({"video": pa.array(structs, FILE), **columns})
    features: dict[str, Mapping[str, Any]] = {"video": {"_type": kind}}
    if names:
        features["label"] = {"_type": "ClassLabel", "names": list(names)}
    if kind is not None:
        about = json.dumps({"info": {"features": features}})
        table = table.replace_schema_metadata({"huggingface": about})
    pq.write_table(table, path, row_group_size=group_size)
    return path
