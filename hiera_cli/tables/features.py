"""Feature tables as pandas sees them."""

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from hiera_cli.errors import UsageError
from hiera_cli.tables.reading import read_metadata, read_rows, read_schema, table_files
from hiera_cli.tables.stored import local_table


def read_features(path: str | os.PathLike[str]) -> pd.DataFrame:
    """A table that `extract-features` wrote, one row a clip.

    Args:
        path: a .parquet file, or a folder of them, or a URL of either.

    Returns:
        The columns of the table: `path`, `clip_index`, `start_seconds`, `end_seconds`, `feature`
        (an array (D,) a row, views of one (N, D) array) and, where they were kept, `scores`.
        `.attrs["hiera_cli"]` is the metadata: model, weights, preprocessing, protocol, versions.
        `feature_matrix` gives all features at once.

    Raises:
        UsageError: no such table, or one without features.
    """
    with local_table(path) as place:
        return _read(place)


def _read(path: Path) -> pd.DataFrame:
    metadata = read_metadata(path)
    names = read_schema(table_files(path)[0]).names
    if "feature" not in names:
        raise UsageError(f"{path} holds no features", hint="give what extract-features wrote")
    table = pd.DataFrame(columns=names)
    batches = list(read_rows(path))
    if batches:
        columns = {name: np.concatenate([rows[name] for rows in batches]) for name in names}
        table = pd.DataFrame({name: list(c) if c.ndim > 1 else c for name, c in columns.items()})
    table.attrs["hiera_cli"] = metadata
    return table


def feature_matrix(table: pd.DataFrame) -> npt.NDArray[np.floating]:
    """The features of a table as one array (N, D)."""
    return np.stack(table["feature"].tolist())
