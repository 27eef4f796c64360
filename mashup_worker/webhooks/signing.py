"""Signatures of webhooks, by the specification Standard Webhooks."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

_PREFIX = "whsec_"
_SERVICE = "service"


def signing_secret(api_secret: bytes, user_id: UUID | None) -> str:
    """Return the secret with which messages about the jobs of an owner are signed.

    It is derived from the secret of the API, so no user can find that of another. Only the owner
    may see it.

    Args:
        api_secret: `MASHUP_API_SECRET`.
        user_id: owner; None for jobs without a user, which belong to the service.
    """
    owner = f"webhooks of {user_id or _SERVICE}".encode()
    key = hmac.digest(api_secret, owner, hashlib.sha256)
    return _PREFIX + base64.b64encode(key).decode()


def signed_headers(secret: str, message_id: str, body: bytes, now_s: float) -> dict[str, str]:
    """Return the headers by which a receiver verifies a message.

    Args:
        secret: secret of the owner, as `signing_secret` returns it.
        message_id: id of the message, the same in every try.
        body: body of the message.
        now_s: time of this try, in seconds since 1970.
    """
    timestamp = str(int(now_s))
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    digest = hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
