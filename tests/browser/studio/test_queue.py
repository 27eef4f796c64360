"""Queue: what operators see and do."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from mashup_worker.db import jobs
from mashup_worker.db.sessions import create_code, new_secret
from tests.integration.api.process import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from playwright.sync_api import Locator, Page

    from tests.browser.studio.world import Studio


pytestmark = pytest.mark.slow


@contextmanager
def operated(studio: Studio) -> Iterator[Page]:
    """Yield the queue, as an operator without a user."""
    code = new_secret()
    create_code(studio.owner, code, user_id=None, scopes=("operator",))
    page = studio.browser.new_page()
    page.set_default_timeout(20_000)
    page.goto(f"{studio.api.url}/studio#login={code}")
    page.get_by_role("heading", name="Queue", exact=True).wait_for()
    yield page
    page.close()


def row(page: Page, job: UUID) -> Locator:
    return (
        page.get_by_role("list", name="Jobs").get_by_role("listitem").filter(has_text=str(job)[:8])
    )


def inserted(studio: Studio, user: UUID) -> UUID:
    return jobs.insert(studio.owner, "separate", {"audio": "public/night.mp3"}, user_id=user).id


def test_operators_without_a_user_see_the_queue_only(studio: Studio) -> None:
    with operated(studio) as page:
        assert page.get_by_role("navigation").get_by_role("link").all_inner_texts() == ["Queue"]
        assert page.url == f"{studio.api.url}/studio/queue"


def test_users_do_not_see_the_queue(studio: Studio, user: UUID) -> None:
    with studio.page(user) as page:
        assert "Queue" not in page.get_by_role("navigation").inner_text()
        page.goto(f"{studio.api.url}/studio/queue")
        page.get_by_role("heading", name="For operators only").wait_for()


def test_jobs_of_all_users_are_canceled_and_repeated(studio: Studio, user: UUID) -> None:
    failed, waiting = inserted(studio, user), inserted(studio, studio.database.new_user())
    studio.start(failed)
    studio.fail(failed, "unsupported_audio", "night.mp3: no audio")
    with operated(studio) as page:
        row(page, failed).get_by_text("night.mp3: no audio").wait_for()
        row(page, waiting).get_by_role("button", name="Cancel").click()
        until(lambda: _requested(studio, waiting))
        studio.cancel(waiting)
        row(page, waiting).get_by_text("Canceled", exact=True).wait_for()
        page.get_by_label("Status").select_option(label="Failed")
        row(page, waiting).wait_for(state="detached")
        row(page, failed).get_by_role("button", name="Try again").click()
        page.get_by_text("A copy of the job waits in the queue.").wait_for()
        [copy, *_] = studio.jobs_of(user)
        assert copy.retry_of == failed


def _requested(studio: Studio, job: UUID) -> bool:
    found = jobs.find(studio.owner, job)
    return found is not None and found.cancel_requested_at is not None


def test_a_queue_is_paused_and_resumed(studio: Studio) -> None:
    with operated(studio) as page:
        page.get_by_role("button", name=re.compile("Pause.*gpu")).click()
        page.get_by_text("paused since").wait_for()
        page.get_by_role("button", name=re.compile("Resume.*gpu")).click()
        page.get_by_text("paused since").wait_for(state="detached")


def test_progress_is_refreshed_in_place(studio: Studio, user: UUID) -> None:
    job = inserted(studio, user)
    with operated(studio) as page:
        row(page, job).get_by_text("Waiting", exact=True).wait_for()
        studio.start(job, 45, "separate")
        row(page, job).get_by_text("Separating the stems").wait_for()
        studio.complete(job)
        row(page, job).get_by_text("Done", exact=True).wait_for()
