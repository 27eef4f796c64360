"""Cursors of pages."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from mashup_worker.api.pages import from_cursor, to_cursor
from mashup_worker.errors import InvalidInput


def test_a_cursor_returns_its_key() -> None:
    key = (datetime(2026, 5, 4, 12, 0, 0, 123_456, UTC), uuid4())
    assert from_cursor(to_cursor(*key), tuple[datetime, UUID]) == key


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "é",
        to_cursor("2026-05-04T12:00:00Z"),
        to_cursor(0.5, UUID(int=7)),
        to_cursor(datetime(2026, 5, 4, tzinfo=UTC), "x"),
        base64.urlsafe_b64encode(b"[" * 400).decode(),
    ],
)
def test_other_text_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidInput, match="cursor"):
        from_cursor(cursor, tuple[datetime, UUID])
