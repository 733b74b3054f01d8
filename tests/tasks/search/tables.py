"""Tables of given vectors, for tests that need no model."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq


def write_vectors(
    path: Path,
    vectors: npt.NDArray[np.float32],
    *,
    clips_a_file: int = 1_000_000,
    **made: Any,
) -> Path:
    """A table with the vectors (N, D) as features of clips of two seconds, in so many files."""
    index = np.arange(len(vectors))
    clip = index % clips_a_file
    flat = pa.array(vectors.astype(np.float32).ravel())
    table = pa.table(
        {
            "path": [f"v{number:05d}.mp4" for number in index // clips_a_file],
            "clip_index": pa.array(clip, pa.int32()),
            "start_seconds": 2.0 * clip,
            "end_seconds": 2.0 * clip + 2,
            "feature": pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
        }
    )
    metadata = {"kind": "features", "roots": [], **made}
    table = table.replace_schema_metadata({"hiera_cli": json.dumps(metadata)})
    pq.write_table(table, path, row_group_size=1024)
    return path
