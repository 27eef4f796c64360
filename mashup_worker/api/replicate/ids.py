"""Ids as clients of Replicate's API use them: UUIDs as 26 letters of base32 in lower case."""

from __future__ import annotations

import base64
from uuid import UUID

from mashup_worker.errors import NotFound

PATTERN = "^[a-z2-7]{26}$"


def short_id(uuid: UUID) -> str:
    """Return the id of a UUID."""
    return base64.b32encode(uuid.bytes).decode().rstrip("=").lower()


def uuid_of(short: str, what: str) -> UUID:
    """Return the UUID of an id.

    Raises:
        NotFound: `short` is no id; `what` names the thing in the message.
    """
    try:
        uuid = UUID(bytes=base64.b32decode(f"{short.upper()}======"))
    except ValueError:
        raise not_found(short, what) from None
    if short_id(uuid) != short:
        raise not_found(short, what)
    return uuid


def not_found(short: str, what: str) -> NotFound:
    """Return the error for an id that names nothing that the caller may see."""
    return NotFound(f"{what} {short[:64]}: not found")
