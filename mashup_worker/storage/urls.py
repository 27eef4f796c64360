"""Conversion between object keys and URLs."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from mashup_worker.storage.objects import check_key

if TYPE_CHECKING:
    from urllib.parse import SplitResult

_PORTS = {"https": 443, "http": 80}


def url_below(base: str, key: str) -> str:
    """Return the URL of a key below a base URL."""
    return f"{base.rstrip('/')}/{quote(check_key(key))}"


def key_below(base: str, url: str) -> str | None:
    """Return the key in a URL below a base URL, without its query; None for other URLs.

    Raises:
        InvalidInput: the URL is below the base, but its key is invalid.
    """
    try:
        ours, theirs = urlsplit(base), urlsplit(url)
        if _origin(ours) != _origin(theirs):
            return None
    except ValueError:
        return None
    home = unquote(ours.path).rstrip("/") + "/"
    path = unquote(theirs.path)
    return check_key(path.removeprefix(home)) if path.startswith(home) else None


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme)
