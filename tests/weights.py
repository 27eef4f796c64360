"""Made-up models, and a real server on this machine that has their weights."""

from __future__ import annotations

import hashlib
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from mashup_worker.licenses import license_as_stated
from mashup_worker.models.catalogue import FOUR_STEMS, Model
from mashup_worker.models.weight_files import Source, WeightFile

if TYPE_CHECKING:
    from collections.abc import Iterator

BAG = "models: ['aaaa1111', 'bbbb2222']\nsegment: 4\n"

HUB = {"aaaa1111.safetensors": b"hub one" * 400_000, "bbbb2222.safetensors": b"hub two" * 1000}
LEGACY = {"aaaa1111-.th": b"legacy one" * 1000, "bbbb2222-.th": b"legacy two" * 1000}


def _named(content: bytes, name: str) -> str:
    """Legacy names carry the first digits of the digest."""
    return name.replace("-", f"-{hashlib.sha256(content).hexdigest()[:8]}")


LEGACY = {_named(content, name): content for name, content in LEGACY.items()}


def made_up_model(address: str, name: str = "tiny") -> Model:
    """A model of two members whose hub and legacy folders are below `address`."""
    sources = tuple(
        Source(label, f"{address}/{folder}/", _files(contents))
        for label, folder, contents in (("hub", "hub", HUB), ("legacy address", "legacy", LEGACY))
    )
    size_bytes = sum(map(len, HUB.values()))
    return Model(
        name, FOUR_STEMS, "tests", license_as_stated(None), 1, size_bytes, None, BAG, sources
    )


def _files(contents: dict[str, bytes]) -> tuple[WeightFile, ...]:
    return tuple(
        WeightFile(name, hashlib.sha256(content).hexdigest(), len(content))
        for name, content in contents.items()
    )


@dataclass
class WeightServer:
    """Serves `files` by path and remembers what it was asked for.

    A path that it does not have is answered with 404; one in `silent` never is.
    """

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)


@contextmanager
def weight_server() -> Iterator[WeightServer]:
    """A server on a free port of the loopback interface, with hub and legacy files on it."""
    server = WeightServer()
    server.files = {f"/hub/{name}": content for name, content in HUB.items()}
    server.files |= {f"/legacy/{name}": content for name, content in LEGACY.items()}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.requests.append(self.path)
            if self.path in server.silent:
                server.closing.wait(30)
            content = server.files.get(self.path)
            self.send_response(404 if content is None else 200)
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        server.address = f"http://127.0.0.1:{http.server_address[1]}"
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            http.shutdown()
            thread.join()
