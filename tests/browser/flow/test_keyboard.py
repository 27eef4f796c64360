"""The studio from the login to a saved mashup, with the keyboard alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.flow.service import TONES_HZ
from tests.browser.flow.visitor import expect, wait_until_heard

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Locator, Page

    from tests.browser.flow.service import StudioService
    from tests.browser.flow.visitor import Visitor

pytestmark = pytest.mark.slow

MAX_TABS = 250
_HAS_VISIBLE_FOCUS = """(element) => {
  if (element !== document.activeElement || !element.matches(":focus-visible")) return false;
  const { top, right, bottom, left } = element.getBoundingClientRect();
  const isInside = bottom > 0 && top < innerHeight && right > 0 && left < innerWidth;
  // The ring of a radio button is around its label.
  const styles = [element, element.parentElement].map((one) => getComputedStyle(one));
  return isInside && styles.some((one) => one.outlineStyle !== "none" || one.boxShadow !== "none");
}"""


class Keyboard:
    """Person who uses a page without a pointer."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def reach(self, role: Any, name: str, within: Locator | None = None) -> Locator:
        """Press Tab until a control has the focus, which must be visible; return the control."""
        control = (within or self.page).get_by_role(role, name=name, exact=True)
        expect(control).to_be_visible()
        for _ in range(MAX_TABS):
            self.press("Tab")
            if control.evaluate("(element) => element === document.activeElement"):
                assert control.evaluate(_HAS_VISIBLE_FOCUS), f"the focus on {name!r} is not seen"
                return control
        raise AssertionError(f"{role} {name!r}: out of reach of the Tab key")

    def activate(self, role: Any, name: str, within: Locator | None = None) -> None:
        """Reach a control and press Enter."""
        self.reach(role, name, within)
        self.press("Enter")

    def write(self, role: Any, name: str, text: str) -> None:
        """Reach a field and replace its text."""
        self.reach(role, name)
        self.press("Control+a")
        self.page.keyboard.type(text)

    def go(self, view: str) -> None:
        """Follow the link to a view; its heading has the focus then."""
        navigation = self.page.get_by_role("navigation", name="Views")
        link = navigation.get_by_role("link").filter(has_text=view)
        for _ in range(MAX_TABS):
            if link.evaluate("(element) => element === document.activeElement"):
                break
            self.press("Shift+Tab")
        self.press("Enter")
        expect(self.page.get_by_role("heading", name=view, exact=True, level=1)).to_be_focused()


def test_a_song_becomes_a_mashup_by_keys(
    studio: StudioService, visitor: Callable[..., Visitor], song: Path
) -> None:
    user, creator = studio.new_user("pro"), studio.new_user("studio")
    studio.add_song(user, "Castle")
    studio.add_song(creator, "Beacon", is_public=True)
    keyboard = Keyboard(visitor().visit(studio.url))
    log_in(keyboard, studio.login_link(user))
    upload(keyboard, song)
    play_song(keyboard)
    correct_tempo(keyboard)
    choose(keyboard)
    make_and_save(keyboard)
    keyboard.activate("button", "Log out")
    expect(keyboard.page.get_by_role("heading", name="Log in to the studio")).to_be_visible()


def log_in(keyboard: Keyboard, link: str) -> None:
    keyboard.write("textbox", "Login link or code", link)
    keyboard.press("Enter")
    expect(keyboard.page.get_by_role("heading", name="Songs")).to_be_visible()


def upload(keyboard: Keyboard, song: Path) -> None:
    page = keyboard.page
    with page.expect_file_chooser() as chooser:
        keyboard.activate("button", "Choose files")
    chooser.value.set_files(song)
    keyboard.activate("link", song.stem)
    expect(page.get_by_role("heading", name=song.stem)).to_be_focused()
    keyboard.go("Songs")


def play_song(keyboard: Keyboard) -> None:
    """Play, mute, solo, move, loop and zoom with single keys."""
    page = keyboard.page
    keyboard.activate("link", "Castle")
    expect(page.get_by_role("heading", name="Castle")).to_be_focused()
    expect(page.get_by_role("list", name="Stems").get_by_role("listitem")).to_have_count(4)
    keyboard.press("Space")
    for stem, frequency_hz in TONES_HZ.items():
        wait_until_heard(page, ".player", stem, frequency_hz)
    keyboard.press("1", "Shift+Digit3", "l")
    expect(pressed(page, "Mute Vocals")).to_be_visible()
    expect(pressed(page, "Solo Bass")).to_be_visible()
    expect(pressed(page, "Loop")).to_be_visible()
    keyboard.press("1", "Shift+Digit3", "l", "Space")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    for name in ("Mute Vocals", "Solo Bass", "Loop"):
        expect(pressed(page, name)).to_have_count(0)
    position = page.get_by_role("slider", name="Position")
    keyboard.press("Home", "Shift+ArrowRight", "ArrowRight")
    expect(position).to_have_attribute("aria-valuetext", "0:02, bar 2, beat 2")
    keyboard.press("End")
    expect(position).to_have_attribute("aria-valuenow", "32")
    keyboard.press("+")
    expect(page.get_by_role("slider", name="Zoom")).not_to_have_attribute(
        "aria-valuetext", "Whole song"
    )
    keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def pressed(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True, pressed=True)


def correct_tempo(keyboard: Keyboard) -> None:
    facts = keyboard.page.locator(".song-facts")
    keyboard.reach("radio", "As found: 120\u00a0BPM")
    keyboard.press("ArrowRight")
    expect(facts).to_contain_text("240\u00a0BPM")
    keyboard.activate("button", "Reset")
    expect(facts).to_contain_text("120\u00a0BPM")
    expect(facts).not_to_contain_text("corrected")


def choose(keyboard: Keyboard) -> None:
    """Hear and add another creator's vocals, and an own song."""
    page = keyboard.page
    keyboard.go("Stems")
    keyboard.write("searchbox", "Title", "Beacon")
    keyboard.reach("combobox", "Stem")
    keyboard.press("v")  # Vocals
    name = "Vocals of Beacon"
    keyboard.activate("button", f"Play {name}")
    expect(page.get_by_role("button", name=f"Pause {name}")).to_be_focused()
    keyboard.activate("button", f"Add to mashup {name}")
    keyboard.go("Songs")
    keyboard.activate("button", "Add to mashup Castle")


def make_and_save(keyboard: Keyboard) -> None:
    page = keyboard.page
    keyboard.go("Mashup")
    keyboard.write("spinbutton", "Tempo in BPM", "120")
    keyboard.activate("button", "Make the mashup")
    title = "Beacon over Castle"
    expect(page.get_by_role("button", name=f"Play {title}")).to_be_enabled()
    keyboard.reach("button", f"Play {title}")
    keyboard.press("Space")
    wait_until_heard(page, ".listen", "master", TONES_HZ["drums"])
    keyboard.press("Space")
    keyboard.reach("slider", f"Waveform of {title}")
    keyboard.press("ArrowRight")
    keyboard.write("textbox", "Title", "Beacon at the Castle")
    keyboard.reach("checkbox", "Public: all users may see and hear it")
    keyboard.press("Space")
    keyboard.activate("button", "Save the mashup")
    expect(page.get_by_role("heading", name="Saved", exact=True)).to_be_visible()
    expect(page.locator(".result .credits").get_by_role("listitem")).to_have_count(2)
