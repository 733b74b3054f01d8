"""One file over HTTP: resumed where it broke off, checked, and renamed into place when whole.

Beside the file lies `<name>.json` with its size, SHA-256 and source, so that a later check can
tell whether it changed. While a download runs there are `<name>.part` and `<name>.lock`.
"""

import hashlib
import http
import http.client
import json
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from hiera_cli.errors import OutputError, UsageError, WeightsError
from hiera_cli.files import flush, write_text

Progress = Callable[[str, int, int | None], None]
"""Called with the file's name, the bytes there so far, and all bytes when they are known."""

TIMEOUT_SECONDS = 10.0
LOCK_SECONDS = 3600.0
MAX_IDLE_ATTEMPTS = 3
PAUSE_SECONDS = 0.5
_CHUNK_BYTES = 2**20


@dataclass(frozen=True)
class _Answer:
    """What a server says about a file.

    Attributes:
        start: where this piece begins, in bytes.
        total: bytes of the whole file; None where the server does not say.
        version: its strong ETag, else its date, else empty.
    """

    start: int
    total: int | None
    version: str


def download_file(
    url: str, target: Path, *, sha256: str = "", progress: Progress | None = None
) -> None:
    """Download `url` to `target`; a part left by an earlier attempt is continued.

    Two processes that want the same file wait for each other, and only one downloads.

    Args:
        url: HTTP or HTTPS.
        target: the file.
        sha256: that it must have, or the first digits of it; empty: any.
        progress: called as bytes arrive.

    Raises:
        WeightsError: not reachable, broken off again and again, too large for the disk, or not
            of the expected SHA-256 (the file is deleted then).
        OutputError: the folder cannot be written.
        UsageError: the address is not HTTP.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise UsageError(f"{url} is not an HTTP address")
    partial = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(f"{target.name}.lock"), timeout=LOCK_SECONDS):
            if not target.exists():
                _receive_all(url, partial, progress=progress)
                _accept(url, partial, target, sha256=sha256)
    except Timeout as error:
        raise WeightsError(f"another process has been downloading {target} for an hour") from error
    except OSError as error:
        raise OutputError(
            f"cannot write to {target.parent}: {error.strerror}", hint="choose another --cache-dir"
        ) from error


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes as 64 hexadecimal digits.

    Raises:
        WeightsError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror}") from error


def recorded_sha256(path: Path) -> str | None:
    """The SHA-256 noted when a file was downloaded; None where there is no note."""
    try:
        record = json.loads(_record_path(path).read_text(encoding="utf-8"))
        return str(record["sha256"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _record_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _accept(url: str, partial: Path, target: Path, *, sha256: str) -> None:
    """Check a complete download and give it its name."""
    found = file_sha256(partial)
    if not found.startswith(sha256):
        _forget(partial)
        raise WeightsError(f"{url} has SHA-256 {found}, expected {sha256}; it was deleted")
    record = {"url": url, "size": partial.stat().st_size, "sha256": found}
    write_text(_record_path(target), json.dumps(record))
    flush(partial)
    partial.replace(target)
    flush(target.parent)
    _forget(partial)


def _receive_all(url: str, partial: Path, *, progress: Progress | None) -> None:
    """Fill `partial`, reconnecting as long as every few attempts bring new bytes."""
    idle, received = 0, False
    while True:
        before = _size(partial)
        try:
            if _receive(url, partial, progress=progress):
                return
            reason = "the connection was closed early"
        except urllib.error.HTTPError as error:
            reason = f"HTTP {error.code} {error.reason}"
        except (urllib.error.URLError, http.client.HTTPException, _NetworkError) as error:
            reason = str(getattr(error, "reason", "") or error)
        grown = _size(partial) > before
        received, idle = received or grown, 0 if grown else idle + 1
        if not received or idle >= MAX_IDLE_ATTEMPTS:
            raise WeightsError(f"{url}: {reason}")
        time.sleep(PAUSE_SECONDS * 2**idle)


class _NetworkError(Exception):
    """An `OSError` of the connection, as against one of the disk."""


def _receive(url: str, partial: Path, *, progress: Progress | None) -> bool:
    """One connection's worth of bytes, appended to `partial`; whether the file is whole now."""
    begun = _read_begun(partial)
    offset = _size(partial) if begun else 0
    # ranges of a compressed answer are not ranges of the file
    headers = {"User-Agent": "hiera-cli", "Accept-Encoding": "identity"}
    if begun and offset:
        headers["Range"] = f"bytes={offset}-"
        # the rest of another version would make a file that was never on the server
        headers |= {"If-Range": begun.version} if begun.version else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - checked by the caller
    with _open(request, partial) as response:
        answer = _read_answer(response)
        if answer.start > offset or (begun and answer.start and answer.total != begun.total):
            _forget(partial)
            raise http.client.HTTPException("the file on the server is another one now")
        _check_space(partial.parent, answer)
        _write_begun(partial, answer)
        return _append(response, partial, answer, progress=progress)


def _open(request: urllib.request.Request, partial: Path) -> HTTPResponse:
    try:
        response: HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)  # noqa: S310
        return response
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            _forget(partial)
        raise
    except OSError as error:
        raise _NetworkError(getattr(error, "reason", error)) from error


def _append(
    response: HTTPResponse, partial: Path, answer: _Answer, *, progress: Progress | None
) -> bool:
    name, done = partial.name.removesuffix(".part"), answer.start
    with partial.open("r+b" if answer.start else "wb") as file:
        file.truncate(answer.start)
        file.seek(answer.start)
        while chunk := _read(response):
            file.write(chunk)
            done += len(chunk)
            if progress is not None:
                progress(name, done, answer.total)
    return answer.total is None or done == answer.total


def _read(response: HTTPResponse) -> bytes:
    try:
        return response.read1(_CHUNK_BYTES)
    except OSError as error:
        raise _NetworkError(error) from error


def _read_answer(response: HTTPResponse) -> _Answer:
    headers = response.headers
    etag = headers.get("ETag", "")
    version = etag if etag.startswith('"') else headers.get("Last-Modified", "")
    if response.status != http.HTTPStatus.PARTIAL_CONTENT:
        length = headers.get("Content-Length", "")
        return _Answer(0, int(length) if length.isdigit() else None, version)
    start, _, rest = headers.get("Content-Range", "").removeprefix("bytes ").partition("-")
    total = rest.rpartition("/")[2]
    if not (start.isdigit() and total.isdigit()):
        raise http.client.HTTPException("the server does not say which part of the file it sends")
    return _Answer(int(start), int(total), version)


def _check_space(folder: Path, answer: _Answer) -> None:
    free = shutil.disk_usage(folder).free
    if answer.total is not None and answer.total - answer.start > free:
        raise WeightsError(
            f"the download needs {answer.total / 2**30:.1f} GiB, {folder} has "
            f"{free / 2**30:.1f} GiB free",
            hint="choose another --cache-dir",
        )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _begun_path(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.json")


def _read_begun(partial: Path) -> _Answer | None:
    """What the server said when `partial` was begun; None: begin again."""
    try:
        values = json.loads(_begun_path(partial).read_text(encoding="utf-8"))
        return _Answer(0, values["total"], str(values["version"]))
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _write_begun(partial: Path, answer: _Answer) -> None:
    values = {"total": answer.total, "version": answer.version}
    write_text(_begun_path(partial), json.dumps(values))


def _forget(partial: Path) -> None:
    partial.unlink(missing_ok=True)
    _begun_path(partial).unlink(missing_ok=True)
