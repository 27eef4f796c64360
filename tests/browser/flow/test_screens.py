"""All screens of the studio: nothing that axe calls serious, and nothing wider than the window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pytest

from tests.browser.flow.inspection import Inspection
from tests.browser.flow.visitor import expect

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from playwright.sync_api import FilePayload, Page

    from tests.browser.flow.service import StudioService
    from tests.browser.flow.visitor import Visitor

pytestmark = pytest.mark.slow

SIZES = {390: 844, 1280: 800}
NO_AUDIO: FilePayload = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no audio"}

_LOOP_HAS_ITS_COLOR = r"""() => {
  const ruler = document.querySelector(".ruler canvas");
  const pixel = ruler.getContext("2d").getImageData(ruler.width / 12, ruler.height / 2, 1, 1).data;
  const probe = document.body.appendChild(document.createElement("i"));
  probe.style.color = "var(--accent-soft)";
  const [red, green, blue] = getComputedStyle(probe).color.match(/\d+/g).map(Number);
  probe.remove();
  return pixel[0] === red && pixel[1] === green && pixel[2] === blue;
}"""


@dataclass(frozen=True)
class Library:
    """User who has songs and jobs in every state.

    Attributes:
        song: a separated song.
        mashup, running: mashup jobs, one of which is done.
    """

    user: UUID
    song: UUID
    mashup: UUID
    running: UUID


@pytest.fixture(scope="module")
def library(studio: StudioService) -> Library:
    user, creator = studio.new_user("studio"), studio.new_user("studio")
    song = studio.add_song(user, "Sail")
    studio.add_song(creator, "Anchor", is_public=True)
    studio.add_running(user, "separate", "separate", audio=f"uploads/{user}/Reef.wav")
    wreck = studio.add_running(user, "separate", "decode", audio=f"uploads/{user}/Wreck.wav")
    studio.fail(wreck, "unsupported_audio")
    stems = studio.mashup_input(song)
    mashup = studio.insert(user, "mashup", {"stems": stems})
    assert studio.ended(user, mashup)["status"] == "completed"
    studio.api(user, "mashups", {"job_id": str(mashup), "title": "Sail again"})
    return Library(user, song, mashup, studio.add_running(user, "mashup", "stretch", stems=stems))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", SIZES)
def test_every_screen_is_accessible(
    studio: StudioService,
    visitor: Callable[..., Visitor],
    library: Library,
    width: int,
    scheme: Literal["light", "dark"],
) -> None:
    person = visitor(
        viewport={"width": width, "height": SIZES[width]},
        color_scheme=scheme,
        reduced_motion="reduce",
    )
    page = person.visit(studio.url)
    inspection = Inspection(person, page, f"{width}-{scheme}")
    look_at_the_login(inspection, studio.url)
    page.goto(studio.login_link(studio.new_user()))
    look_at_an_empty_library(inspection)
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in to the studio")).to_be_visible()
    page.goto(studio.login_link(library.user, operator=True))
    look_at_songs(inspection)
    look_at_a_song(inspection)
    look_at_stems(inspection)
    look_at_mashups(inspection, library, studio.url)
    go(page, "Queue")
    inspection.look("queue")
    page.goto(f"{studio.url}/nowhere")
    inspection.look("unknown")
    assert inspection.faults == []


def go(page: Page, view: str) -> None:
    page.get_by_role("navigation", name="Views").get_by_role("link", name=view).click()
    expect(page.get_by_role("heading", name=view, level=1)).to_be_visible()


def look_at_the_login(inspection: Inspection, url: str) -> None:
    inspection.look("login")
    inspection.page.goto(f"{url}#login=used")
    expect(inspection.page.get_by_text("has been used or has expired")).to_be_visible()
    inspection.look("login-refused")


def look_at_an_empty_library(inspection: Inspection) -> None:
    expect(inspection.page.get_by_text("No songs yet")).to_be_visible()
    inspection.look("songs-empty")
    go(inspection.page, "Mashup")
    expect(inspection.page.get_by_text("Upgrade to the pro tier.")).to_be_visible()
    inspection.look("mashup-empty")


def look_at_songs(inspection: Inspection) -> None:
    page = inspection.page
    expect(page.get_by_role("link", name="Sail")).to_be_visible()
    page.set_input_files("input[type=file]", NO_AUDIO)
    expect(page.get_by_text("Not uploaded")).to_be_visible()
    inspection.look("songs")
    page.get_by_role("button", name="Remove notes.txt").click()
    page.get_by_role("button", name="Add to mashup Sail").click()


def look_at_a_song(inspection: Inspection) -> None:
    page = inspection.page
    page.get_by_role("link", name="Sail").click()
    expect(page.get_by_role("list", name="Stems").get_by_role("listitem")).to_have_count(4)
    page.get_by_role("button", name="Loop", exact=True).click()
    page.get_by_role("button", name="Mute Bass").click()
    inspection.look("song")
    assert page.evaluate(_LOOP_HAS_ITS_COLOR)
    page.get_by_role("button", name="Mute Bass").click()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    inspection.look("song-keys")
    page.keyboard.press("Escape")


def look_at_stems(inspection: Inspection) -> None:
    page = inspection.page
    go(page, "Stems")
    opener = page.get_by_role("button", name="Filters", exact=True)
    if opener.is_visible():
        opener.click()
    page.get_by_role("combobox", name="Fits").select_option("Sail")
    expect(page.get_by_text("same key").first).to_be_visible()
    page.get_by_role("button", name="Add to mashup Vocals of Anchor").click()
    inspection.look("stems")
    page.get_by_role("searchbox", name="Title").fill("nothing of the kind")
    expect(page.get_by_text("No stems match")).to_be_visible()
    inspection.look("stems-none")


def look_at_mashups(inspection: Inspection, library: Library, url: str) -> None:
    page = inspection.page
    go(page, "Mashup")
    inspection.look("mashup-chosen")
    page.goto(f"{url}/mashup/{library.running}")
    expect(page.get_by_role("listitem").filter(has_text="Fitting tempo and key")).to_be_visible()
    inspection.look("mashup-running")
    page.goto(f"{url}/mashup/{library.mashup}")
    expect(page.get_by_role("heading", name="Measurements")).to_be_visible()
    inspection.look("mashup")
