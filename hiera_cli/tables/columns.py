"""What a row is: columns as plain data, and their translation to Arrow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Kind = Literal["string", "int32", "int64", "float16", "float32", "float64"]
Values = Sequence[Any] | npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        name: its name.
        kind: the type of its values.
        width: how many values a row holds, as a fixed-size list; None for a single one.
    """

    name: str
    kind: Kind
    width: int | None = None

    def __str__(self) -> str:
        return f"{self.name} {self.kind}" + (f"[{self.width}]" if self.width else "")


def to_schema(columns: Sequence[Column]) -> pa.Schema:
    """The Arrow schema of the columns."""
    return pa.schema([pa.field(column.name, _arrow_type(column)) for column in columns])


def row_bytes(schema: pa.Schema) -> int:
    """About how much a row takes, uncompressed."""
    return sum(_width(field.type) for field in schema)


def to_batch(columns: Sequence[Column], rows: Mapping[str, Values]) -> pa.RecordBatch:
    """Rows, given as values by column name, in Arrow's form.

    Args:
        columns: the columns of the table.
        rows: a value for each row and column; for a list column an array (rows, width).

    Raises:
        ValueError: a list has another length than the column's width.
    """
    arrays = [_to_array(column, rows[column.name]) for column in columns]
    return pa.record_batch(arrays, schema=to_schema(columns))


def to_numpy(array: pa.Array) -> npt.NDArray[Any]:
    """Values (rows,) or, for a list column, (rows, width)."""
    if not pa.types.is_fixed_size_list(array.type):
        return np.asarray(array.to_numpy(zero_copy_only=False))
    flat = array.flatten().to_numpy(zero_copy_only=False)
    return np.asarray(flat).reshape(len(array), array.type.list_size)


def _width(kind: pa.DataType) -> int:
    if pa.types.is_fixed_size_list(kind):
        return int(kind.list_size) * _width(kind.value_type)
    return 64 if pa.types.is_string(kind) else int(kind.byte_width)


def _arrow_type(column: Column) -> pa.DataType:
    scalar = pa.string() if column.kind == "string" else pa.from_numpy_dtype(np.dtype(column.kind))
    if column.width is None:
        return scalar
    return pa.list_(pa.field("element", scalar), column.width)  # the name that Parquet wants


def _to_array(column: Column, values: Values) -> pa.Array:
    if column.kind == "string":
        return pa.array(values, pa.string())
    numbers = np.ascontiguousarray(values, dtype=np.dtype(column.kind))
    if column.width is None:
        return pa.array(numbers)
    if numbers.shape[1:] != (column.width,):
        raise ValueError(f"column {column} cannot hold an array of shape {numbers.shape}")
    return pa.FixedSizeListArray.from_arrays(
        pa.array(numbers.reshape(-1)), type=_arrow_type(column)
    )
