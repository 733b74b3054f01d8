"""One writer for all commands that yield records: a table, JSON, JSON lines or CSV."""

import csv
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, get_args

from hiera_cli.cli.options import Format, OutputOptions
from hiera_cli.errors import Failure, OutputError
from hiera_cli.files import is_special, output_errors, replacing

FORMATS = get_args(Format)


@dataclass(frozen=True, slots=True)
class Layout:
    """How one kind of record looks where it is not JSON.

    Attributes:
        csv_columns: header of the CSV form.
        csv_rows: the CSV rows of a record.
        show: writes a record to a terminal; takes the record and the stream.
    """

    csv_columns: Sequence[str]
    csv_rows: Callable[[Any], Iterable[Mapping[str, Any]]]
    show: Callable[[Any, IO[str]], None]


def as_json(record: Any) -> dict[str, Any]:
    """A record as JSON types; a failure as `{"path", "error": {"kind", "message"}}`."""
    if isinstance(record, Failure):
        error = {"kind": record.kind, "message": record.message}
        return {"path": record.path, "error": error}
    return asdict(record)


def choose_format(output: OutputOptions) -> str:
    """The format asked for, else the one of the output's suffix, else a table on a terminal."""
    suffix = output.out.suffix.lower().removeprefix(".") if output.out else ""
    return output.format or (suffix if suffix in FORMATS else "table")


class RecordWriter:
    """Writes records as they come; what is written stays valid however the run ends.

    A file appears under its name only when the writer is closed; an interrupt keeps what is
    finished.
    """

    def __init__(self, output: OutputOptions, layout: Layout) -> None:
        self._format = choose_format(output)
        self._layout = layout
        self._path = output.out
        self._files = ExitStack()
        self._num_written = 0
        self._stream: IO[str] = sys.stdout

    def __enter__(self) -> "RecordWriter":
        if self._path is not None:
            self._stream = self._open(self._path)
        if self._format == "csv":
            self._csv = csv.DictWriter(
                self._stream, list(self._layout.csv_columns), lineterminator="\n"
            )
            self._csv.writeheader()
        if self._format == "json":
            self._stream.write("[")
        return self

    def _open(self, path: Path) -> IO[str]:
        """A stream that ends in the file: directly where that is a device, a FIFO or the like."""
        from hiera_cli.tables.local_output import local_output

        path = self._files.enter_context(local_output(path)) or path
        with output_errors(path):
            place = path if is_special(path) else self._files.enter_context(replacing(path))
            stream = place.open("w", encoding="utf-8", errors="backslashreplace", newline="")
        self._files.push(closing(stream))
        return stream

    def heading(self, text: str) -> None:
        """A line above the records of a table."""
        self._stream.write(text + "\n")

    def write(self, record: Any) -> None:
        """Add one record."""
        if self._format == "table":
            self._layout.show(record, self._stream)
        elif self._format == "csv":
            for row in self._layout.csv_rows(record):
                self._csv.writerow({k: _cell(v) for k, v in row.items()})
        elif self._format == "jsonl":
            self._stream.write(json.dumps(as_json(record)) + "\n")
        else:
            text = json.dumps(as_json(record), indent=2)
            self._stream.write((",\n" if self._num_written else "\n") + text)
        self._num_written += 1
        if self._path is None:
            self._stream.flush()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, OSError):  # a closed pipe, or a full disk
            self._discard(error)
            return
        try:
            if self._format == "json":
                self._stream.write("\n]\n" if self._num_written else "]\n")
            self._stream.flush()
        except OSError as failed:
            self._discard(failed)
            raise
        self._files.close()

    def _discard(self, error: OSError) -> None:
        """Leave no half-written file behind."""
        with suppress(OSError, OutputError):
            self._files.__exit__(type(error), error, error.__traceback__)


def _cell(value: Any) -> Any:
    """A CSV cell: floats with six digits, text that cannot be encoded escaped."""
    if isinstance(value, float):
        return f"{value:.6f}"
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    return value


class Tally:
    """Counts what became of the inputs, for the exit code."""

    def __init__(self) -> None:
        self.num_good = 0
        self.num_failed = 0

    def add(self, record: Any) -> None:
        """Count one record."""
        if isinstance(record, Failure):
            self.num_failed += 1
        else:
            self.num_good += 1

    @property
    def exit_code(self) -> int:
        """0 all good, 3 some failed, 4 all failed or none found."""
        if self.num_good == 0:
            return 4
        return 3 if self.num_failed else 0
