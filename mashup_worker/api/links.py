"""Links to files of the store that need no header: the signature in them is the right to read.

Clients of hosted models fetch results from other programs, without their tokens and without
following redirects.
"""

from __future__ import annotations

import binascii
import hmac
import re
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import parse_qsl, quote, unquote

from mashup_worker.errors import NotFound
from mashup_worker.storage.objects import Link

_PURPOSE = b"mashup-worker: links to files"
_LINK = re.compile(r"/v1/files/(?P<token>[^/?]+)/(?P<name>[^/?]+)(\?(?P<query>.*))?")
_MAX_DIGITS = 16


class LinkSource(Protocol):
    """Public address and secret of the API, from which links are made."""

    @property
    def url(self) -> str:
        """Public address, without a slash at its end."""

    @property
    def secret(self) -> bytes:
        """Secret from which the key of the signatures is derived."""


def link(source: LinkSource, key: str, name: str, lifetime_s: float) -> Link:
    """Return a link to an object of the store.

    Args:
        source: public address and secret.
        key: key of the object, which need not exist yet.
        name: file name at the end of the link, which programs take as the name of the file.
        lifetime_s: time from now until the link expires.
    """
    expires = int(time.time() + lifetime_s)
    token = urlsafe_b64encode(key.encode()).decode().rstrip("=")
    name = "".join(letter if letter.isprintable() and letter != "/" else "_" for letter in name)
    if not name.strip("."):  # clients resolve dot segments
        name = "file"
    address = f"{source.url}/v1/files/{token}/{quote(name, safe='')}"
    signature = _signature(source.secret, token, name, expires)
    return Link(
        f"{address}?expires={expires}&sig={signature}", datetime.fromtimestamp(expires, UTC)
    )


def key_of_link(source: LinkSource, token: str, name: str, expires: int, signature: str) -> str:
    """Return the key of the object that a link is for.

    Raises:
        NotFound: the link is forged, damaged or expired.
    """
    expected = _signature(source.secret, token, name, expires)
    if hmac.compare_digest(expected.encode(), signature.encode()) and time.time() < expires:
        try:
            return urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
        except (binascii.Error, ValueError):  # signed, so never damaged
            pass
    raise NotFound("file: not found, or its link has expired")


def key_in(source: LinkSource, address: str) -> str | None:
    """Return the key in a link of this API; None for any other address.

    Raises:
        NotFound: the link is forged, damaged or expired.
    """
    found = _LINK.fullmatch(address.removeprefix(source.url))
    if found is None or not address.startswith(source.url):
        return None
    query = dict(parse_qsl(found["query"] or ""))
    expires, signature = query.get("expires", ""), query.get("sig", "")
    expires_s = int(expires) if expires.isdecimal() and len(expires) < _MAX_DIGITS else 0
    return key_of_link(source, found["token"], unquote(found["name"]), expires_s, signature)


def _signature(secret: bytes, token: str, name: str, expires: int) -> str:
    key = hmac.digest(secret, _PURPOSE, "sha256")
    # Only the last part may contain a line break, so each text has one meaning.
    text = f"{token}\n{expires}\n{name}".encode()
    return urlsafe_b64encode(hmac.digest(key, text, "sha256")).decode().rstrip("=")
