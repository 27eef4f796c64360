"""HTTP server of files by byte range, which fails on demand."""

from __future__ import annotations

import re
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import mashup_worker

if TYPE_CHECKING:
    from types import TracebackType

PAGE = Path(mashup_worker.__file__).parent / "api" / "studio" / "page"
SUPPORT = Path(__file__).parent
MEDIA_TYPES = {".js": "text/javascript", ".json": "application/json", ".html": "text/html"}
CUT = 0
"""Status of an answer that breaks off in the middle."""


class FileServer:
    """Serves a folder at `/files/`, the page at `/page/` and `/audio/`, and `harness.js`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.failures: dict[str, int] = {}
        """Status by name of a file; `CUT` breaks answers off."""
        self.requests: list[tuple[str, str | None]] = []
        """Name and range of each request for a file."""
        self.received: dict[str, bytes] = {}
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.files = self
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def reset(self) -> None:
        """Forget failures and requests."""
        self.failures.clear()
        self.requests.clear()
        self.received.clear()

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    files: FileServer

    def handle_error(self, request: object, client_address: object) -> None:
        """Pass over requests that a browser gave up."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    folders: ClassVar = {"audio": PAGE / "audio", "page": PAGE, "support": SUPPORT}

    server: _Server

    @property
    def files(self) -> FileServer:
        return self.server.files

    def do_GET(self) -> None:
        folder, _, name = self.path.split("?")[0].strip("/").partition("/")
        if not folder:
            self._answer(200, b"<!doctype html><title>test</title>", "text/html")
            return
        if folder == "files":
            self.files.requests.append((name, self.headers["Range"]))
        path = self.folders.get(folder, self.files.folder) / name
        failure = self.files.failures.get(name) if folder == "files" else None
        if failure or not path.is_file():
            self._answer(failure or 404, b"")
            return
        self._send_range(path.read_bytes(), path.suffix, cut=failure == CUT)

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.files.received[self.path.strip("/")] = body
        self._answer(204, b"")

    def _send_range(self, body: bytes, suffix: str, *, cut: bool) -> None:
        media_type = MEDIA_TYPES.get(suffix, "application/octet-stream")
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers["Range"] or "")
        if not wanted:
            self._answer(200, body, media_type, cut=cut)
            return
        start, end = int(wanted[1]), min(int(wanted[2] or len(body) - 1), len(body) - 1)
        if start > end:
            self._answer(416, b"")
            return
        shown = {"Content-Range": f"bytes {start}-{end}/{len(body)}"}
        self._answer(206, body[start : end + 1], media_type, shown, cut=cut)

    def _answer(
        self,
        status: int,
        body: bytes,
        media_type: str = "text/plain",
        headers: dict[str, str] | None = None,
        *,
        cut: bool = False,
    ) -> None:
        self.send_response(HTTPStatus(status))
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Cache-Control", "no-store")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection |= cut

    def log_message(self, *_: object) -> None:
        """Keep the output of tests short."""
