"""Routes of the studio: its document for every view, and the files that it loads.

They run on the event loop, as their few file reads take less time than a thread, and none of the
threads is free while a service hangs.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
import secrets
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from mashup_worker.api.studio.libraries import COMMAND, PAGE, are_complete
from mashup_worker.errors import NotFound

router = APIRouter(include_in_schema=False)

ASSETS = "/studio/assets"
"""First part of the addresses of the page's files."""

_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml; charset=utf-8",
    ".woff2": "font/woff2",
}
"""Media types of the files that are served, by suffix."""

_NAME = re.compile(r"(?=.{1,200}$)(?:[\w@][\w@.-]*/)*[\w@][\w@.-]*", re.ASCII)
"""Names of files: short, without parts that start with a dot, so inside the folder of the page."""

_IMPORT_MAP = re.compile(r'<script type="importmap">(.*?)</script>', re.DOTALL)

_NONCE = "STYLE_NONCE"
"""Placeholder in the document for the nonce of style elements that scripts insert."""

_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class _Asset:
    """File of the page.

    Attributes:
        compressed: the same in gzip; None where that saves nothing.
    """

    body: bytes
    compressed: bytes | None
    etag: str
    media_type: str


@router.api_route(f"{ASSETS}/{{name:path}}", methods=["GET", "HEAD"])
async def get_asset(request: Request, name: str) -> Response:
    """Return a file of the page.

    Browsers keep it and ask each time whether it has changed, so they never mix two versions.

    Raises:
        NotFound: the page has no such file.
    """
    path = PAGE / name
    if not _NAME.fullmatch(name) or path.suffix not in _MEDIA_TYPES or not path.is_file():
        raise NotFound("file: not found")
    asset = _read(path, path.stat().st_mtime_ns)
    headers = _HEADERS | {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": "default-src 'none'",  # of an SVG that is opened by itself
        "ETag": asset.etag,
        "Vary": "Accept-Encoding",
    }
    if asset.etag in _list(request, "If-None-Match"):
        return Response(status_code=304, headers=headers)
    body = asset.body
    if asset.compressed is not None and "gzip" in _list(request, "Accept-Encoding"):
        body = asset.compressed
        headers["Content-Encoding"] = "gzip"
    return _response(request, body, headers, asset.media_type)


@router.api_route("/studio", methods=["GET", "HEAD"])
@router.api_route("/studio/{view:path}", methods=["GET", "HEAD"])
async def get_page(request: Request) -> Response:
    """Return the document, in which a script shows the view of the address."""
    if not are_complete(PAGE):
        return PlainTextResponse(
            "The studio's JavaScript libraries are missing on this server. On it, run:\n\n"
            f"  {COMMAND}\n\nThe API works without them.\n",
            503,
            {**_HEADERS, "Cache-Control": "no-store"},
        )
    nonce = secrets.token_urlsafe(16)
    page = (PAGE / "index.html").read_text(encoding="utf-8").replace(_NONCE, nonce)
    headers = _HEADERS | {
        "Cache-Control": "no-store",  # its nonce serves once
        "Content-Security-Policy": content_security_policy(page, nonce),
    }
    return _response(request, page.encode(), headers, "text/html; charset=utf-8")


def content_security_policy(page: str, nonce: str) -> str:
    """Return the policy of a document: files and calls of this origin only, and no inline script.

    The import map must stand in the document, so its digest is allowed. Waveforms insert a style
    element with the nonce.
    """
    digests = [_digest(text.encode()) for text in _IMPORT_MAP.findall(page)]
    return "; ".join(
        (
            "default-src 'none'",
            " ".join(("script-src 'self'", *(f"'sha256-{digest}'" for digest in digests))),
            f"style-src 'self' 'nonce-{nonce}'",
            "connect-src 'self'",
            "img-src 'self' data:",
            "media-src 'self' blob:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


@lru_cache(maxsize=256)
def _read(path: Path, _modified_ns: int) -> _Asset:
    """Return a file; the time of its change makes a changed file another one."""
    body = path.read_bytes()
    compressed = gzip.compress(body, mtime=0)
    return _Asset(
        body,
        compressed if len(compressed) < len(body) else None,
        f'W/"{_digest(body)}"',
        _MEDIA_TYPES[path.suffix],
    )


def _response(request: Request, body: bytes, headers: dict[str, str], media_type: str) -> Response:
    headers["Content-Length"] = str(len(body))
    is_head = request.method == "HEAD"
    return Response(b"" if is_head else body, headers=headers, media_type=media_type)


def _list(request: Request, header: str) -> list[str]:
    return [item.strip() for item in request.headers.get(header, "").split(",")]


def _digest(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()
