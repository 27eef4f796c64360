"""Views load little script, and do not jump."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.flow.loading import load, observe

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from tests.browser.flow.service import StudioService
    from tests.browser.flow.visitor import Visitor

pytestmark = pytest.mark.slow

MAX_SCRIPT_BYTES = 150_000
MAX_SHIFT = 0.1


@pytest.fixture(scope="module")
def user(studio: StudioService) -> UUID:
    user = studio.new_user("studio")
    for title in ("Harbor", "Sail", "Reef"):
        studio.add_song(user, title, duration_s=8)
    return user


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("view", ["songs", "songs/SONG", "stems", "mashup", "queue"])
def test_a_view_loads_little_and_does_not_jump(
    studio: StudioService, visitor: Callable[..., Visitor], user: UUID, view: str, width: int
) -> None:
    """Of the first paint's time, which a busy machine delays, see the benchmark."""
    (song, *_) = studio.sql("SELECT id FROM ai_jobs WHERE user_id = %s", user)
    person = visitor(viewport={"width": width, "height": 800})
    page = person.visit(studio.login_link(user, operator=True))
    page.get_by_role("link", name="Harbor").wait_for()
    observe(page)
    loading = load(page, f"{studio.url}/{view.replace('SONG', str(song['id']))}")
    assert loading.early_bytes < MAX_SCRIPT_BYTES
    assert loading.script_bytes < MAX_SCRIPT_BYTES
    assert loading.shift < MAX_SHIFT
