"""The studio over real servers, in the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import redis

from mashup_worker.api.studio.libraries import COMMAND, are_complete
from tests.browser.studio.world import Studio
from tests.integration.api.live import live_database
from tests.integration.conftest import services, stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from playwright.sync_api import Browser

    from mashup_worker.stack.info import StackInfo

__all__ = ["services", "stack"]


@pytest.fixture(scope="module")
def studio(
    browser: Browser, services: StackInfo, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Studio]:
    """An API with a database of its own."""
    if not are_complete():
        pytest.skip(f"The libraries of the studio are missing: {COMMAND}")
    database = live_database(services)
    with (
        database.owner() as owner,
        database.api(tmp_path_factory.mktemp("scratch")) as api,
        redis.Redis.from_url(services.redis_url) as client,
    ):
        yield Studio(api, database, owner, client, tmp_path_factory.mktemp("files"), browser)


@pytest.fixture(autouse=True)
def _credentials(services: StackInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the test itself store files."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, services.environment()[name])


@pytest.fixture
def user(studio: Studio) -> UUID:
    """A new user with a tier without limits."""
    return studio.database.new_user()
