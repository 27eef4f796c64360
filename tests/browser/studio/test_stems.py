"""Stems: filters in the address, compatibility, playing in place, choosing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from uuid import UUID

    from playwright.sync_api import Locator, Page

    from tests.browser.studio.world import Studio


pytestmark = pytest.mark.slow


def rows(page: Page) -> Locator:
    return page.get_by_role("list", name="Stems", exact=True).get_by_role("listitem")


def open_stems(page: Page, studio: Studio, query: str = "") -> None:
    page.goto(f"{studio.api.url}/studio/stems{query}")
    rows(page).first.wait_for()


def published(studio: Studio, user: UUID, tempo_bpm: float = 126.0, key: str = "E minor") -> UUID:
    """Insert a song of a user whose stems are public."""
    job = studio.song(user, "theirs.mp3")
    studio.owner.execute(
        "UPDATE stems SET is_public = true, tempo_bpm = %s, musical_key = %s WHERE job_id = %s",
        [tempo_bpm, key, job],
    )
    return job


def hidden_from_others(studio: Studio) -> None:
    """Make the public stems of earlier tests private."""
    studio.owner.execute("UPDATE stems SET is_public = false")


def test_filters_are_kept_in_the_address(studio: Studio, user: UUID) -> None:
    hidden_from_others(studio)
    studio.song(user, "night.mp3")
    published(studio, studio.database.new_user())
    with studio.page(user) as page:
        open_stems(page, studio)
        page.wait_for_function("() => document.querySelectorAll('.stem').length === 8")
        page.get_by_label("Stem", exact=True).select_option(label="Vocals")
        page.wait_for_function("() => document.querySelectorAll('.stem').length === 2")
        page.get_by_role("radio", name="Yours").check()
        page.wait_for_function("() => document.querySelectorAll('.stem').length === 1")
        assert page.url.endswith("/studio/stems?kind=vocals&owner=mine")
        page.reload()
        rows(page).filter(has_text="night").wait_for()
        assert rows(page).count() == 1
        page.get_by_role("button", name="Clear filters").click()
        page.wait_for_function("() => document.querySelectorAll('.stem').length === 8")
        page.get_by_role("searchbox", name="Title").fill("nothing like it")
        page.get_by_role("heading", name="No stems match").wait_for()


def test_neighboring_keys_are_found(studio: Studio, user: UUID) -> None:
    hidden_from_others(studio)
    studio.song(user)  # in A minor, 8A
    published(studio, studio.database.new_user())  # in E minor, 9A
    with studio.page(user) as page:
        open_stems(page, studio, "?camelot=8A")
        assert rows(page).count() == 4
        page.get_by_label("and neighboring keys").check()
        page.wait_for_function("() => document.querySelectorAll('.stem').length === 8")


def test_compatibility_is_described_in_words(studio: Studio, user: UUID) -> None:
    hidden_from_others(studio)
    studio.song(user)  # at 120 BPM in A minor
    published(studio, studio.database.new_user())
    with studio.page(user) as page:
        open_stems(page, studio, "?kind=vocals&owner=mine")
        rows(page).first.get_by_role("button", name="Add to mashup").click()
        page.get_by_role("link", name="Mashup 1 song or stem chosen").wait_for()
        page.get_by_role("button", name="Clear filters").click()
        page.get_by_label("Fits", exact=True).select_option(label="Vocals of night")
        page.get_by_text("4.8\u00a0% slower, neighboring key").first.wait_for()
        assert rows(page).count() == 4


def test_one_stem_plays_at_a_time(studio: Studio, user: UUID) -> None:
    hidden_from_others(studio)
    studio.song(user)
    with studio.page(user) as page:
        open_stems(page, studio)
        first, second = rows(page).nth(0), rows(page).nth(1)
        first.get_by_role("button", name="Play ").click()
        first.get_by_role("button", name="Pause ").wait_for()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        second.get_by_role("button", name="Pause ").wait_for()
        first.get_by_role("button", name="Play ").wait_for()


def test_the_list_has_pages(studio: Studio, user: UUID) -> None:
    hidden_from_others(studio)
    studio.owner.execute(
        "INSERT INTO stems (user_id, kind, storage_key, duration_s)"
        " SELECT %s, 'drums', 'jobs/none/' || n, 10 FROM generate_series(1, 30) AS n",
        [user],
    )
    with studio.page(user) as page:
        open_stems(page, studio)
        assert rows(page).count() == 25
        page.get_by_role("button", name="Show more stems").click()
        page.wait_for_function("() => document.querySelectorAll('.stem').length === 30")
        # The button is gone, and the focus is on the first new stem.
        page.wait_for_function(
            "() => document.querySelectorAll('.stem')[25].contains(document.activeElement)"
        )
