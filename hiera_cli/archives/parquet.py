"""Parquet tables with videos or pictures in a column, as Hugging Face `datasets` writes them.

Such a column holds structs `{"bytes", "path"}`; which kind it is, and the names of class labels,
stand as JSON under the key `huggingface` of the file's metadata. A row is a member that is called
as its path says where all paths are different, else by its number.

Of the column of paths all is read once. Contents are read page by page from the beginning of a row
group, as rows are asked for in their order; what was passed on the way is kept until somebody asks
for it, as videos are read side by side. A row without content is never looked for elsewhere:
whoever wrote the table does not decide what is opened.
"""

import json
import posixpath
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hiera_cli.archives.packed import MAX_MEMBER_BYTES, MAX_RATIO
from hiera_cli.errors import MediaError
from hiera_cli.remote import Content, is_remote, open_for_seeking

if TYPE_CHECKING:
    import pyarrow as pa

MAX_KEPT_BYTES = 2**28  # of rows that were passed
BUFFER_BYTES = 2**20  # read at once; a page that is larger, as one
METADATA_KEY = b"huggingface"
_SUFFIXES = {"Video": ".mp4", "Image": ".png"}
_ORDER = ("Video", "", "Image")


class MediaTable:
    """A Parquet file and its column of videos or pictures, if it has one.

    Attributes:
        features: what the file's metadata say about each column, as `datasets` writes it.
        columns: the names of its columns.
        row_names: what each row is called, None where it holds nothing; empty without a column.

    Raises:
        MediaError: no Parquet file, or damaged.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._reader: Iterator[tuple[int, pa.Buffer | None]] = iter(())
        self._next = self._stop = 0  # rows that the reader comes to
        self._passed: dict[int, pa.Buffer | None] = {}
        with _arrow_errors():
            self._file = self._opened()
            schema = self._file.schema_arrow
            self.features = _features(schema.metadata or {})
            self.columns: tuple[str, ...] = tuple(schema.names)
            self._column, kind = _media_column(schema, self.features)
            paths = self._read_paths()
        self.row_names = _names(paths, _SUFFIXES.get(kind, ".mp4"))
        self._rows = {name: row for row, name in enumerate(self.row_names) if name is not None}

    @property
    def names(self) -> tuple[str, ...]:
        """The rows that hold something, in order."""
        return tuple(self._rows)

    def row(self, name: str) -> int:
        """Where a member is; after all others where there is none."""
        return self._rows.get(name, len(self.row_names))

    def read(self, column: str) -> list[Any]:
        """All values of another column.

        Raises:
            MediaError: damaged.
        """
        with _arrow_errors(), self._lock:
            values: list[Any] = self._file.read(columns=[column])[column].to_pylist()
        return values

    @contextmanager
    def open(self, name: str) -> Iterator[Content]:
        """A row's content.

        Raises:
            KeyError: there is no such row.
            MediaError: it holds only a path, or is damaged.
        """
        import pyarrow as pa

        row = self._rows[name]
        with _arrow_errors(), self._lock:
            value = self._passed.pop(row) if row in self._passed else self._read_on(row)
        if value is None:
            raise MediaError("not_found", "the row holds no content, only the name of a file")
        yield pa.BufferReader(value)

    def _opened(self) -> Any:
        import pyarrow.parquet as pq

        source = open_for_seeking(self._path) if is_remote(self._path) else self._path
        return pq.ParquetFile(source, buffer_size=BUFFER_BYTES)

    def _read_paths(self) -> list[dict[str, Any] | None]:
        if not self._column:
            return []
        table = self._file.read(columns=[f"{self._column}.path"])
        found: list[dict[str, Any] | None] = table[self._column].to_pylist()
        return found

    def _read_on(self, wanted: int) -> "pa.Buffer | None":
        """A row's content; what is passed on the way to it is kept."""
        if not self._next <= wanted < self._stop:
            self._begin_group(wanted)
        stop, self._stop = self._stop, 0  # what breaks off cannot go on
        for row, value in self._reader:
            self._next = row + 1
            if row == wanted:
                self._stop = stop
                return value
            self._passed[row] = value
            while sum(one.size for one in self._passed.values() if one) > MAX_KEPT_BYTES:
                del self._passed[next(iter(self._passed))]
        raise MediaError("corrupt", "the table ends before its rows do")

    def _begin_group(self, wanted: int) -> None:
        """Start at the row group that holds a row."""
        groups, start = self._file.metadata, 0
        for group in range(groups.num_row_groups):
            stop = start + groups.row_group(group).num_rows
            if wanted < stop:
                break
            start = stop
        self._check_size(group)
        column = f"{self._column}.bytes"
        batches = self._file.iter_batches(1, [group], [column], use_threads=False)
        contents = (batch[self._column][0]["bytes"].as_buffer() for batch in batches)
        self._next, self._stop, self._reader = start, stop, enumerate(contents, start)

    def _check_size(self, group: int) -> None:
        """Refuse contents that are far larger than what they take in the file."""
        about = self._file.metadata.row_group(group)
        for index in range(about.num_columns):
            chunk = about.column(index)
            size: int = chunk.total_uncompressed_size
            if size > max(MAX_MEMBER_BYTES, MAX_RATIO * chunk.total_compressed_size):
                raise MediaError("too_large", f"{size:,} bytes, packed as if they were nothing")


def _features(metadata: Mapping[bytes, bytes]) -> dict[str, Any]:
    """What `datasets` says about the columns; nothing where something else wrote the file."""
    try:
        features = json.loads(metadata.get(METADATA_KEY, b"{}"))["info"]["features"]
    except (ValueError, KeyError, TypeError):
        return {}
    return features if isinstance(features, dict) else {}


def _media_column(schema: "pa.Schema", features: Mapping[str, Any]) -> tuple[str, str]:
    """Name and kind of the column, videos first; two empty words without one.

    A kind is `Video`, `Image`, or empty where nothing says it.
    """
    import pyarrow as pa

    found = []
    for field in schema:
        if pa.types.is_struct(field.type) and {"bytes", "path"} <= {one.name for one in field.type}:
            content = field.type.field("bytes").type
            told = features.get(field.name)
            kind = told.get("_type", "") if isinstance(told, dict) else ""
            if kind in _ORDER and (
                pa.types.is_binary(content) or pa.types.is_large_binary(content)
            ):
                found.append((field.name, kind))
    return min(found, key=lambda one: _ORDER.index(one[1]), default=("", ""))


def _holds_files(field: "pa.Field[Any]") -> bool:
    import pyarrow as pa

    if not pa.types.is_struct(field.type):
        return False
    types = {one.name: one.type for one in field.type}
    content = types.get("bytes", pa.null())
    is_binary = pa.types.is_binary(content) or pa.types.is_large_binary(content)
    return is_binary and "path" in types


def _names(rows: Sequence[Mapping[str, Any] | None], suffix: str) -> tuple[str | None, ...]:
    """What rows are called: by their paths where these are all different, else by their numbers."""
    told = [_spelled(row["path"], suffix) if row else "" for row in rows]
    there = [name for name, row in zip(told, rows, strict=True) if row is not None]
    width = max(4, len(str(len(rows) - 1)))
    is_told = all(there) and len(set(there)) == len(there)
    names = told if is_told else [f"{index:0{width}d}{suffix}" for index in range(len(rows))]
    return tuple(name if row is not None else None for name, row in zip(names, rows, strict=True))


def _spelled(path: str | None, suffix: str) -> str:
    """A row's path as a name in the table; only its end where it is absolute, a URL or hidden."""
    if not path or "\0" in path:
        return ""
    path = path.replace("\\", "/").rstrip("/")
    if any(not part or part.startswith(".") for part in path.split("/")):
        path = posixpath.basename(path).lstrip(".")
    return path if not path or posixpath.splitext(path)[1] else path + suffix


@contextmanager
def _arrow_errors() -> Iterator[None]:
    """What a damaged file or a store makes of pyarrow becomes our error."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise MediaError("corrupt", f"cannot read it from the table: {reason}") from error
