"""Secret of webhooks."""

from __future__ import annotations

from fastapi import APIRouter, Response

from mashup_worker.api.context import Context, Writer
from mashup_worker.api.replicate.documents import WebhookSecret
from mashup_worker.webhooks.signing import signing_secret

router = APIRouter(tags=["webhooks"])


@router.get("/webhooks/default/secret")
async def get_webhook_secret(context: Context, caller: Writer, response: Response) -> WebhookSecret:
    """Return the secret with which the caller's webhooks are signed.

    It needs the scope `write`, because its holder can forge webhooks.
    """
    response.headers["Cache-Control"] = "no-store"
    return WebhookSecret(key=signing_secret(context.secret, caller.user_id))
