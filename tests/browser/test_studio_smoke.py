"""The studio opens, and plays a song."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser.studio import TONES_HZ
from tests.browser.visitor import expect, wait_until_heard

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.studio import Studio
    from tests.browser.visitor import Visitor


def test_a_login_link_opens_the_studio_and_a_song_plays(
    studio: Studio, visitor: Callable[..., Visitor]
) -> None:
    user = studio.new_user()
    studio.add_song(user, "Harbor", duration_s=8)
    page = visitor().visit(studio.login_link(user))
    page.get_by_role("link", name="Harbor").click()
    expect(page.get_by_role("heading", name="Harbor")).to_be_visible()
    page.get_by_role("button", name="Play", exact=True).click()
    for stem, frequency_hz in TONES_HZ.items():
        wait_until_heard(page, ".player", stem, frequency_hz)
