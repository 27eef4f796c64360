"""Callers by their tokens, where Postgres accepts connections and answers nothing."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING

from mashup_worker.api.access import lookups
from mashup_worker.api.access.callers import Callers
from mashup_worker.db import database
from mashup_worker.db.api_tokens import TOKEN_PREFIX
from mashup_worker.db.database import Database
from mashup_worker.errors import ServiceUnavailable
from mashup_worker.settings import ApiSettings

if TYPE_CHECKING:
    import pytest


def test_no_request_waits_for_a_database_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few threads read tokens, so that most lookups would wait for the ones before them."""
    monkeypatch.setattr(lookups, "_LOOKUP_S", 0.2)
    monkeypatch.setattr(database, "_CONNECT_TIMEOUT_S", 2)

    async def find_all() -> tuple[float, list[object]]:
        start_s = time.monotonic()
        finding = (known.find(f"Bearer {TOKEN_PREFIX}{index}") for index in range(200))
        found = await asyncio.gather(*finding, return_exceptions=True)
        return time.monotonic() - start_s, list(found)

    with socket.create_server(("127.0.0.1", 0)) as hanging:
        url = f"postgresql://user@127.0.0.1:{hanging.getsockname()[1]}/mashup"
        with Database(url, timeout_s=0.1) as database_that_hangs:
            known = Callers(database_that_hangs, ApiSettings())
            seconds, found = asyncio.run(find_all())
    assert {type(one) for one in found} == {ServiceUnavailable}
    assert seconds < 2
