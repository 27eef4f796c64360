"""Keys in URLs, and URLs of keys."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from mashup_worker.storage.objects import check_key

if TYPE_CHECKING:
    from urllib.parse import SplitResult

_PORTS = {"https": 443, "http": 80}


def url_below(base: str, key: str) -> str:
    """The URL of a key below an address."""
    return f"{base.rstrip('/')}/{quote(check_key(key))}"


def key_below(base: str, url: str) -> str | None:
    """The key that a URL below an address stands for, whatever its query; None for other URLs.

    Raises:
        InvalidInput: it lies below the address, but no object can have such a key.
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
