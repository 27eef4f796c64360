"""Secrets and signatures of webhooks."""

from __future__ import annotations

import time
from uuid import UUID

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from mashup_worker.webhooks.signing import signed_headers, signing_secret

API_SECRET = b"a secret of the tests, long enough"
ALICE, BOB = UUID(int=1), UUID(int=2)
BODY = '{"title": "ü"}'.encode()


def test_the_reference_implementation_accepts_a_signature() -> None:
    secret = signing_secret(API_SECRET, ALICE)
    headers = signed_headers(secret, "an-id", BODY, time.time())
    assert Webhook(secret).verify(BODY, headers) == {"title": "ü"}


@pytest.mark.parametrize(
    ("secret", "changed"),
    [
        (signing_secret(API_SECRET, BOB), {}),
        (signing_secret(API_SECRET, None), {}),
        (signing_secret(b"another secret of the API, as long", ALICE), {}),
        (signing_secret(API_SECRET, ALICE), {"webhook-id": "another"}),
        (signing_secret(API_SECRET, ALICE), {"webhook-timestamp": str(int(time.time()) - 1)}),
        (signing_secret(API_SECRET, ALICE), {"webhook-timestamp": str(int(time.time()) - 600)}),
    ],
)
def test_it_accepts_no_other_owner_id_or_time(secret: str, changed: dict[str, str]) -> None:
    headers = signed_headers(signing_secret(API_SECRET, ALICE), "an-id", BODY, time.time() + 2)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY, {**headers, **changed})


def test_the_secret_of_an_owner_is_always_the_same() -> None:
    assert signing_secret(API_SECRET, ALICE) == signing_secret(API_SECRET, UUID(int=1))
    assert signing_secret(API_SECRET, ALICE).startswith("whsec_")
