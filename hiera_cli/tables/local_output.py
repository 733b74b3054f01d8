"""Results of code that writes to paths, at a path or a URL."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hiera_cli.remote import url_of
from hiera_cli.tables.stored import stored


@contextmanager
def local_output(
    out: Path | None, *, is_folder: bool = False, beside: tuple[str, ...] = ()
) -> Iterator[Path | None]:
    """Where to write: the path itself, or for a URL a local one that is put there at the end.

    Args:
        out: what the user named; None stays None.
        is_folder: whether a folder will be written.
        beside: suffixes of the names of files beside it that belong to it.

    Raises:
        OutputError: the store cannot be read or written.
    """
    url = None if out is None else url_of(out)
    if url is None:
        yield out
        return
    with stored(f"{url}/" if is_folder else url, ("", *beside)) as path:
        yield path
