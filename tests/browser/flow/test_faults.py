"""What goes wrong ends in a clear state, and goes on where it can."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.flow.service import TONES_HZ
from tests.browser.flow.visitor import expect, wait_until_heard
from tests.integration.api.process import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from uuid import UUID

    from playwright.sync_api import Page

    from tests.browser.flow.service import StudioService
    from tests.browser.flow.visitor import Visitor

pytestmark = pytest.mark.slow

LOST = "Connection lost."
END_SESSIONS = "DELETE FROM mashup_worker.sessions WHERE user_id = %s"


@pytest.fixture
def user(studio: StudioService) -> UUID:
    return studio.new_user("studio")


def open_song(page: Page, title: str) -> None:
    page.get_by_role("link", name=title).click()
    expect(page.get_by_role("list", name="Stems").get_by_role("listitem")).to_have_count(4)


def test_a_song_of_ten_minutes_plays_to_its_end(
    studio: StudioService, visitor: Callable[..., Visitor], user: UUID
) -> None:
    studio.add_song(user, "Ocean", duration_s=600)
    page = visitor().visit(studio.login_link(user))
    open_song(page, "Ocean")
    page.get_by_role("button", name="Play", exact=True).click()
    for stem, frequency_hz in TONES_HZ.items():
        wait_until_heard(page, ".player", stem, frequency_hz)
    position = page.get_by_role("slider", name="Position")
    position.focus()
    page.keyboard.press("End")
    page.keyboard.press("Shift+ArrowLeft")
    for stem, frequency_hz in TONES_HZ.items():
        wait_until_heard(page, ".player", stem, frequency_hz)
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    expect(position).to_have_attribute("aria-valuenow", "600")


def test_a_stem_that_cannot_be_loaded_is_named_and_the_others_play(
    studio: StudioService, visitor: Callable[..., Visitor], user: UUID
) -> None:
    song = studio.add_song(user, "Harbor")
    (bass,) = studio.sql("SELECT storage_key FROM stems WHERE job_id = %s AND kind = 'bass'", song)
    studio.s3().delete_object(Bucket=studio.facts["bucket"], Key=bass["storage_key"])
    page = visitor().visit(studio.login_link(user))
    open_song(page, "Harbor")
    page.get_by_role("button", name="Play", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Bass could not be loaded.")
    for stem in ("vocals", "drums", "other"):
        wait_until_heard(page, ".player", stem, TONES_HZ[stem])


def test_playing_and_uploading_go_on_after_a_lost_connection(
    studio: StudioService, visitor: Callable[..., Visitor], user: UUID, song: Path
) -> None:
    studio.add_song(user, "Ocean", duration_s=180)
    person = visitor()
    page = person.visit(studio.login_link(user))
    open_song(page, "Ocean")
    page.get_by_role("button", name="Play", exact=True).click()
    wait_until_heard(page, ".player", "vocals", TONES_HZ["vocals"])
    person.context.set_offline(True)
    page.get_by_role("slider", name="Position").focus()
    page.keyboard.press("End")
    for _ in range(8):
        page.keyboard.press("Shift+ArrowLeft")  # to a part that is not loaded yet
    expect(page.get_by_role("status").filter(has_text=LOST).first).to_be_visible()
    person.context.set_offline(False)
    wait_until_heard(page, ".player", "vocals", TONES_HZ["vocals"])
    page.get_by_role("link", name="Songs").first.click()
    person.context.set_offline(True)
    page.set_input_files("input[type=file]", song)
    expect(page.get_by_text("Not uploaded")).to_be_visible()
    refusal = page.get_by_role("listitem").filter(has_text=song.name)
    expect(refusal).to_contain_text("The server cannot be reached.")
    expect(page.get_by_text(LOST)).to_be_visible()
    person.context.set_offline(False)
    page.get_by_role("button", name=f"Try again {song.name}").click()
    expect(page.get_by_role("link", name=song.stem)).to_be_visible()
    expect(page.get_by_text(LOST)).to_have_count(0)


def test_a_job_is_followed_again_after_a_lost_connection(
    studio: StudioService, visitor: Callable[..., Visitor], user: UUID
) -> None:
    person = visitor()
    page = person.visit(studio.login_link(user))
    expect(page.get_by_text("No songs yet")).to_be_visible()
    job = studio.add_running(user, "separate", "separate", audio=f"uploads/{user}/Reef.wav")
    page.reload()
    expect(page.get_by_text("42 %")).to_be_visible()
    person.context.set_offline(True)
    studio.fail(job, "unsupported_audio")
    person.context.set_offline(False)
    expect(page.get_by_text("The file has no audio that can be read.")).to_be_visible()


def test_an_ended_session_keeps_the_place(
    studio: StudioService, visitor: Callable[..., Visitor], user: UUID
) -> None:
    studio.add_song(user, "Harbor")
    person = visitor()
    page = person.visit(studio.login_link(user))
    open_song(page, "Harbor")
    address = page.url
    studio.sql(END_SESSIONS, user)
    session = studio.url.replace("/studio", "/api/session")
    until(lambda: person.context.request.get(session).status == 401)  # the API keeps it shortly
    page.get_by_role("button", name="One beat later").click()
    expect(page.get_by_text("Your session has ended.")).to_be_visible()
    assert page.url == address
    page.get_by_role("textbox", name="Login link or code").fill(studio.login_link(user))
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Harbor")).to_be_visible()
    page.get_by_role("button", name="Play", exact=True).click()
    wait_until_heard(page, ".player", "bass", TONES_HZ["bass"])


def test_two_tabs_show_the_same(
    studio: StudioService, visitor: Callable[..., Visitor], user: UUID, song: Path
) -> None:
    person = visitor()
    first, second = person.visit(studio.url), person.visit(studio.url)
    for tab in (first, second):
        expect(tab.get_by_role("heading", name="Log in to the studio")).to_be_visible()
    first.goto(studio.login_link(user))
    expect(first.get_by_text("No songs yet")).to_be_visible()
    bring_to_front(second)
    expect(second.get_by_text("No songs yet")).to_be_visible()

    second.set_input_files("input[type=file]", song)
    expect(second.get_by_role("link", name=song.stem)).to_be_visible()
    bring_to_front(first)
    expect(first.get_by_role("link", name=song.stem)).to_be_visible()

    first.get_by_role("button", name="Log out").click()
    expect(first.get_by_role("heading", name="Log in to the studio")).to_be_visible()
    bring_to_front(second)
    expect(second.get_by_text("Your session has ended.")).to_be_visible()


def bring_to_front(tab: Page) -> None:
    """Show a tab. A browser without windows shows all at once, so their event is sent by hand."""
    tab.bring_to_front()
    tab.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
