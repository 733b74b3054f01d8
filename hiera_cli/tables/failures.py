"""The list of inputs that failed: `<out>.errors.jsonl`, one JSON object a line."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hiera_cli.errors import Failure
from hiera_cli.files import write_text
from hiera_cli.tables.place import write_all


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The complete JSON lines of a file; none if there is no file. A torn last line is no line."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                with contextlib.suppress(json.JSONDecodeError):
                    yield json.loads(line)


def append_failure(path: Path, failure: Failure) -> None:
    """Add a line in one write, so that several processes may share the file.

    Raises:
        OSError: the disk is full or may not be written.
    """
    with path.open("ab", buffering=0) as file:
        write_all(file, memoryview(_line(failure).encode()))


def read_failures(path: Path) -> dict[str, Failure]:
    """The failures listed in a file, by path; the last one of a path counts."""
    return {line["path"]: Failure(**line) for line in read_lines(path)}


def write_failures(path: Path, failures: Mapping[str, Failure]) -> None:
    """Replace the list, sorted by path; no failures, no file.

    Raises:
        OSError: the disk is full or may not be written.
    """
    if failures:
        write_text(path, "".join(_line(failures[key]) for key in sorted(failures)))
    else:
        path.unlink(missing_ok=True)


def _line(failure: Failure) -> str:
    return json.dumps(asdict(failure), ensure_ascii=False) + "\n"
