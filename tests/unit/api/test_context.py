"""Settings without which the API does not start."""

from __future__ import annotations

import pytest

from mashup_worker.api.context import open_context
from mashup_worker.errors import InvalidInput
from mashup_worker.settings import load_service_settings

COMPLETE = {
    "DATABASE_URL": "postgresql://127.0.0.1:1/none",
    "REDIS_URL": "redis://127.0.0.1:1",
    "S3_BUCKET": "songs",
    "MASHUP_API_URL": "https://api.test",
    "MASHUP_API_SECRET": "a secret of the tests, long enough",
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MASHUP_API_URL", None),
        ("MASHUP_API_SECRET", None),
        ("MASHUP_INPUT_PREFIXES", '["inputs/{user_id}/"]'),
    ],
)
def test_a_setting_that_every_call_needs_is_required(
    name: str, value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, complete in COMPLETE.items():
        monkeypatch.setenv(key, complete)
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)
    with pytest.raises(InvalidInput, match=name):
        open_context(load_service_settings())
