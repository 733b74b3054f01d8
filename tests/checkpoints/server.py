"""A file server on this machine that misbehaves on demand: the Hub and the official server."""

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Server:
    """What is served, how, and what was asked.

    Attributes:
        files: body by path, e.g. `/hiera_base_16x224.pth`.
        drop_after: bytes after which a connection is cut, one entry for each time.
        ranges: whether `Range` is understood.
        versioned: whether answers carry an ETag.
        declared: SHA-256 that the Hub states, where it is not that of the body.
        requests: method, path and Range of every request.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    drop_after: list[int] = field(default_factory=list)
    ranges: bool = True
    versioned: bool = True
    declared: str = ""
    chunked: bool = False
    gate: threading.Event | None = None
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    url: str = ""
    num_sent: int = 0

    def bodies(self) -> list[str]:
        """Paths of the files that were asked for with GET."""
        return [path for method, path, _ in self.requests if method == "GET"]

    def add_repository(self, repository: str, weights: bytes) -> None:
        self.files[f"/{repository}/resolve/main/model.safetensors"] = weights


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: Server

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        state = self.state
        asked = self.headers.get("Range", "")
        state.requests.append((self.command, self.path, asked))
        body = state.files.get(self.path)
        if body is None:
            self._refuse()
            return
        if state.gate is not None and with_body:
            state.gate.wait(20)
        digest = hashlib.sha256(body).hexdigest()
        start, stop = self._part(asked, f'"{digest}"', len(body))
        is_part = (start, stop) != (0, len(body))
        self.send_response(206 if is_part else 200)
        if is_part:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(body)}")
        if state.versioned:
            self.send_header("ETag", f'"{digest}"')
        if "/resolve/" in self.path:
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("X-Linked-Etag", f'"{state.declared or digest}"')
            self.send_header("X-Linked-Size", str(len(body)))
        self.send_header("Content-Length", str(stop - start))
        self.end_headers()
        if with_body:
            self._send(body[start:stop])

    def _part(self, asked: str, etag: str, size: int) -> tuple[int, int]:
        """From and up to which byte."""
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", asked)
        condition = self.headers.get("If-Range")
        same = condition is None or condition == etag
        if not (match and self.state.ranges and same):
            return 0, size
        return int(match[1]), min(size, int(match[2]) + 1 if match[2] else size)

    def _send(self, body: bytes) -> None:
        cut = self.state.drop_after.pop(0) if self.state.drop_after else None
        self.state.num_sent += len(body[:cut])
        self.wfile.write(body[:cut])
        if cut is not None:
            self.close_connection = True

    def _refuse(self) -> None:
        is_hub = "/resolve/" in self.path
        self.send_response(404)
        if is_hub:
            self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        pass


@contextmanager
def serving() -> Iterator[Server]:
    """A server on a free port of the loopback interface."""
    state = Server()
    handler = type("Handler", (_Handler,), {"state": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
