"""Songs: uploads, progress, errors in plain words, sessions."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
import soundfile

from mashup_worker.db import jobs
from tests.browser import songs
from tests.browser.studio.world import RATE
from tests.integration.api.process import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from uuid import UUID

    from playwright.sync_api import FilePayload, Locator, Page, Route

    from tests.browser.studio.world import Studio


pytestmark = pytest.mark.slow


def audio(name: str) -> FilePayload:
    """Return a file of one second, for the file button."""
    file = io.BytesIO()
    soundfile.write(file, songs.noise(RATE), RATE, format="FLAC")
    return {"name": name, "mimeType": "audio/flac", "buffer": file.getvalue()}


def answer(document: dict[str, object]) -> Callable[[Route], None]:
    """Return a handler that answers calls with a document."""
    return lambda route: route.fulfill(json=document)


def text_file(name: str) -> FilePayload:
    return {"name": name, "mimeType": "text/plain", "buffer": b"no audio"}


def upload(page: Page, *files: FilePayload) -> None:
    page.locator("input[type=file]").set_input_files(list(files))


def row(page: Page, name: str) -> Locator:
    return page.get_by_role("list", name="Songs").get_by_role("listitem").filter(has_text=name)


def inserted(studio: Studio, user: UUID, name: str = "night.mp3") -> UUID:
    """Insert a job of a song."""
    return jobs.insert(studio.owner, "separate", {"audio": f"public/{name}"}, user_id=user).id


def test_a_file_becomes_a_song(studio: Studio, user: UUID) -> None:
    with studio.page(user) as page:
        upload(page, audio("Night Drive.flac"))
        row(page, "Night Drive").get_by_text("Waiting in the queue").wait_for()
        [job] = studio.jobs_of(user)
        studio.start(job.id, 45, "separate")
        row(page, "Night Drive").get_by_text("Separating the stems").wait_for()
        row(page, "Night Drive").get_by_text("45\u00a0%").wait_for()
        studio.complete(job.id)
        for fact in ("120\u00a0BPM", "A minor", "8A", "0:12"):
            row(page, "Night Drive").get_by_text(fact, exact=True).wait_for()
        page.get_by_role("link", name="Open").click()
        page.get_by_role("heading", name="Night Drive").wait_for()
        assert page.url == f"{studio.api.url}/studio/songs/{job.id}"


def test_several_files_are_uploaded_and_one_is_refused(studio: Studio, user: UUID) -> None:
    with studio.page(user) as page:
        upload(page, audio("one.flac"), text_file("notes.txt"), audio("two.flac"))
        refused = row(page, "notes.txt").get_by_role("alert")
        refused.wait_for()
        assert refused.inner_text() == (
            "The file has no audio that can be read. "
            "Convert it to MP3, WAV, FLAC, M4A or Ogg, and upload it again."
        )
        for name in ("one", "two"):
            row(page, name).get_by_text("Waiting in the queue").wait_for()
        page.get_by_role("button", name="Remove notes.txt").click()
        row(page, "notes.txt").wait_for(state="detached")
        assert len(studio.jobs_of(user)) == 2


def test_a_file_that_is_gone_is_named_and_a_lost_connection_is_no_end(
    studio: Studio, user: UUID, tmp_path: Path
) -> None:
    gone, night = tmp_path / "gone.flac", tmp_path / "night.wav"
    for path in (gone, night):
        path.write_bytes(audio("x")["buffer"])
    with studio.page(user) as page:
        page.context.set_offline(True)
        page.locator("input[type=file]").set_input_files([gone, night])
        gone.unlink()
        row(page, "night").get_by_text("The server cannot be reached.").wait_for()
        page.get_by_role("button", name="Try again gone.flac").click()
        row(page, "gone.flac").get_by_text("The file cannot be read.").wait_for()
        page.context.set_offline(False)
        row(page, "night").get_by_text("Waiting in the queue").wait_for()


def test_the_limit_of_a_tier_names_what_lifts_it(studio: Studio) -> None:
    user = studio.database.new_user("free")
    studio.song(user)
    with studio.page(user) as page:
        page.get_by_text("0 of 1 separation left today.").wait_for()
        upload(page, audio("more.flac"))
        refused = row(page, "more.flac").get_by_role("alert")
        refused.wait_for()
        words = refused.inner_text()
        assert words.startswith("The free tier includes 1 separation per day. To continue, wait")
        assert words.endswith("or upgrade to the pro tier.")


def test_a_failed_song_says_why_and_is_repeated(studio: Studio, user: UUID) -> None:
    job = inserted(studio, user)
    with studio.page(user) as page:
        row(page, "night").get_by_text("Waiting in the queue").wait_for()
        studio.start(job)
        studio.fail(job, "out_of_memory", "cuda:0: out of memory")
        row(page, "night").get_by_text("The worker ran out of memory.").wait_for()
        other = page.context.new_page()
        other.goto(f"{studio.api.url}/studio/songs")
        other.get_by_role("button", name="Try again night").wait_for()
        for tab in (page, other):
            tab.get_by_role("button", name="Try again night").click()
            row(tab, "night").get_by_text("Waiting in the queue").wait_for()
        assert len(studio.jobs_of(user)) == 2, "a copy for both"
        page.reload()
        row(page, "night").get_by_text("Waiting in the queue").wait_for()
        assert row(page, "night").count() == 1


def test_a_waiting_song_is_canceled(studio: Studio, user: UUID) -> None:
    job = inserted(studio, user)
    with studio.page(user) as page:
        page.get_by_role("button", name="Cancel night").click()

        def is_requested() -> bool:
            found = jobs.find(studio.owner, job)
            return found is not None and found.cancel_requested_at is not None

        until(is_requested)
        studio.cancel(job)
        row(page, "night").get_by_text("Try again to separate the song.").wait_for()


def test_the_list_has_pages(studio: Studio, user: UUID) -> None:
    for index in range(23):
        inserted(studio, user, f"song{index:02}.mp3")
    with studio.page(user) as page:
        row(page, "song03").wait_for()
        assert row(page, "song").count() == 20
        page.get_by_role("button", name="Show more songs").click()
        row(page, "song00").wait_for()
        assert row(page, "song").count() == 23
        assert page.get_by_role("button", name="Show more songs").count() == 0


def test_the_waveform_of_a_song_is_the_sum_of_its_stems(studio: Studio, user: UUID) -> None:
    peaks = {"sample_rate": 8_000, "samples_per_pixel": 4_000, "bits": 8, "channels": 1}
    stems = {"long": [-64, 64, -32, 0, -64, 32], "short": [-32, 32, -32, 64]}
    script = """async () => {
        const { loadSum } = await import("/studio/assets/peaks.js");
        const { min, max, durationS } = await loadSum(["/api/long/peaks", "/api/short/peaks"], 8);
        return [[...min], [...max], durationS];
    }"""
    with studio.page(user) as page:
        for name, data in stems.items():
            document = {**peaks, "length": len(data) // 2, "data": data}
            page.route(f"**/{name}/peaks", answer(document))
        assert page.evaluate(script) == [[-0.75, -0.5, -0.5], [0.75, 0.5, 0.25], 1.5]


def test_a_session_that_ended_shows_the_login_in_place(studio: Studio, user: UUID) -> None:
    song = studio.song(user)
    with studio.page(user) as page:
        page.goto(f"{studio.api.url}/studio/songs/{song}")
        page.get_by_role("button", name="Play", exact=True).wait_for()
        page.context.clear_cookies()
        page.get_by_label("Double").check()
        page.get_by_text("Your session has ended.").wait_for()
        page.get_by_label("Login link or code").fill(studio.login_link(user))
        page.get_by_role("button", name="Log in").click()
        page.get_by_role("heading", name="night").wait_for()
        assert page.url == f"{studio.api.url}/studio/songs/{song}"


def test_tabs_show_the_user_of_their_common_session(studio: Studio, user: UUID) -> None:
    """Browsers send the cookie of the last login from each tab."""
    studio.song(user)
    with studio.page(user) as page:
        row(page, "night").wait_for()
        other = page.context.new_page()
        other.goto(studio.login_link(studio.database.new_user()))
        other.get_by_role("heading", name="No songs yet").wait_for()
        page.get_by_role("heading", name="No songs yet").wait_for()
        other.get_by_role("button", name="Log out").click()
        page.get_by_text("Your session has ended.").wait_for()
        page.get_by_label("Login link or code").fill(studio.login_link(user))
        page.get_by_role("button", name="Log in").click()
        row(other, "night").wait_for()


def test_another_user_in_the_same_tab_finds_nothing_of_the_first(
    studio: Studio, user: UUID
) -> None:
    song = studio.song(user)
    with studio.page(user) as page:
        page.get_by_role("button", name="Add to mashup night").click()
        page.get_by_role("link", name="Mashup 1 song or stem chosen").wait_for()
        page.context.clear_cookies()
        page.goto(studio.login_link(studio.database.new_user()))
        page.get_by_role("heading", name="No songs yet").wait_for()
        assert page.get_by_text("song or stem chosen").count() == 0
        page.goto(f"{studio.api.url}/studio/songs/{song}")
        page.get_by_text("Not found.").wait_for()


def test_a_double_click_or_a_held_key_makes_one_mashup(studio: Studio, user: UUID) -> None:
    for _ in range(2):
        studio.song(user)
    with studio.page(user) as page:
        row(page, "night").nth(1).wait_for()
        for _ in range(2):
            page.get_by_role("button", name="Add to mashup night").first.click()
        page.get_by_role("link", name="Mashup 2 songs or stems chosen").click()
        make = page.get_by_role("button", name="Make the mashup")
        idle = make.and_(page.locator("button:not([aria-disabled])"))
        make.dblclick(delay=500)
        idle.wait_for()
        assert len(studio.jobs_of(user)) == 3
        for _ in range(5):
            page.keyboard.down("Enter")  # each but the first is a repetition
            idle.wait_for()
        assert len(studio.jobs_of(user)) == 4


def test_a_used_link_is_refused_and_leaves_the_address(studio: Studio, user: UUID) -> None:
    link = studio.login_link(user)
    with studio.page(user) as page:
        page.goto("about:blank")
        page.goto(link)
        page.get_by_role("heading", name="Songs", exact=True).wait_for()
        page.get_by_role("button", name="Log out").click()
        page.get_by_role("heading", name="Log in to the studio").wait_for()
        page.goto("about:blank")
        page.goto(link)
        page.get_by_text("This login link has been used or has expired.").wait_for()
        assert page.url == f"{studio.api.url}/studio"
