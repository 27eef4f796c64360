"""The studio from the login to a saved mashup, in a real browser over the running service."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.browser.flow.service import TONES_HZ
from tests.browser.flow.visitor import (
    expect,
    record_progress,
    recorded_progress,
    throttle,
    wait_until_heard,
    wait_until_in_step,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from uuid import UUID

    from playwright.sync_api import Page

    from tests.browser.flow.service import StudioService
    from tests.browser.flow.visitor import Visitor

pytestmark = pytest.mark.slow

LIMIT = re.compile(
    r"The free tier includes 1 separation per day\. "
    r"To continue, wait until \w+ \d+, 00:00 UTC, or upgrade to the pro tier\."
)
STAGES = ("Reading the file", "Separating the stems", "Writing the stems", "Finding the key")


def test_a_song_becomes_a_mashup(
    studio: StudioService, visitor: Callable[..., Visitor], song: Path
) -> None:
    user, creator = studio.new_user(), studio.new_user("studio")
    studio.add_song(user, "Harbor")
    studio.add_song(creator, "Lantern", is_public=True)
    page = visitor().visit(studio.login_link(user))
    expect(page.get_by_role("heading", name="Songs")).to_be_visible()
    assert page.url == studio.url

    upload_with_progress(page, song)
    open_song(page, "Night Train")
    hear_four_stems(page)
    open_song(page, "Harbor")
    hear_tones(page)
    reach_the_limit(page, song)

    add_stem(page, "Vocals of Lantern")
    go(page, "Songs")
    page.get_by_role("button", name="Add to mashup Harbor").click()
    go(page, "Mashup")
    expect(page.get_by_text("Upgrade to the pro tier.")).to_be_visible()
    page.get_by_role("button", name="Make the mashup").click()
    expect(page.get_by_role("alert")).to_contain_text("The free tier includes no mashups per month")
    studio.subscribe(user, "pro")
    page.reload()
    generate(page)
    hear_tones_of_mashup(page, studio, user)
    save(page, creator_id=str(creator))


def go(page: Page, view: str) -> None:
    page.get_by_role("navigation", name="Views").get_by_role("link", name=view).click()


def upload_with_progress(page: Page, song: Path) -> None:
    """Upload a song over a slow line; expect percentages of the upload and of the job's stages."""
    expect(page.get_by_text("1 of 1 separation left today.")).to_be_visible()
    record_progress(page)
    devtools = throttle(page, bytes_per_s=1_000_000)
    page.set_input_files("input[type=file]", song)
    expect(page.get_by_role("link", name=song.stem)).to_be_visible()
    devtools.detach()
    progress = recorded_progress(page)
    sent = [share for what, share in progress if what == "Uploading" and share is not None]
    assert len(set(sent) - {0, 100}) >= 3
    assert sent == sorted(sent)
    done = [share for what, share in progress if what in STAGES and share is not None]
    assert len(set(done)) >= 3
    assert done == sorted(done)
    assert "Separating the stems" in [what for what, _ in progress]


def open_song(page: Page, title: str) -> None:
    go(page, "Songs")
    page.get_by_role("link", name=title).click()
    expect(page.get_by_role("list", name="Stems").get_by_role("listitem")).to_have_count(4)


def hear_four_stems(page: Page) -> None:
    """Expect sound from each stem of a real song, and a position by the audio clock."""
    page.get_by_role("button", name="Play", exact=True).click()
    for stem in TONES_HZ:
        page.wait_for_function(
            """(stem) => {
              const { transport } = document.querySelector(".player");
              if (transport.state !== "playing") return false;
              const samples = new Float32Array(2048);
              transport.analyser(stem).getFloatTimeDomainData(samples);
              return samples.some((sample) => Math.abs(sample) > 1e-3);
            }""",
            arg=stem,
        )
    wait_until_in_step(page, ".player", "bass")
    page.get_by_role("button", name="Pause").click()


def hear_tones(page: Page) -> None:
    """Expect the tone of each stem, and of the others once one is muted."""
    page.get_by_role("button", name="Play", exact=True).click()
    for stem, frequency_hz in TONES_HZ.items():
        wait_until_heard(page, ".player", stem, frequency_hz)
    page.get_by_role("button", name="Mute Bass").click()
    page.wait_for_function(
        """() => {
          const analyser = document.querySelector(".player").transport.analyser("bass");
          const samples = new Float32Array(analyser.fftSize);
          analyser.getFloatTimeDomainData(samples);
          return samples.every((sample) => Math.abs(sample) < 1e-4);
        }"""
    )
    wait_until_heard(page, ".player", "vocals", TONES_HZ["vocals"])
    page.get_by_role("button", name="Pause").click()


def reach_the_limit(page: Page, song: Path) -> None:
    go(page, "Songs")
    expect(page.get_by_text("0 of 1 separation left today.")).to_be_visible()
    page.set_input_files("input[type=file]", song)
    expect(page.get_by_text("Not started")).to_be_visible()
    expect(page.get_by_text(LIMIT)).to_be_visible()
    page.get_by_role("button", name=f"Remove {song.name}").click()


def add_stem(page: Page, name: str) -> None:
    """Find a stem of another creator, hear it, and add it."""
    go(page, "Stems")
    page.get_by_role("searchbox", name="Title").fill(name.rpartition(" ")[2])
    page.get_by_role("combobox", name="Stem").select_option("Vocals")
    rows = page.get_by_role("list", name="Stems").get_by_role("listitem")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Public")
    page.get_by_role("button", name=f"Play {name}").click()
    expect(page.get_by_role("button", name=f"Pause {name}")).to_be_visible()
    page.get_by_role("button", name=f"Add to mashup {name}").click()
    expect(page.get_by_role("link", name="Mashup")).to_contain_text("1 song or stem chosen")


def generate(page: Page) -> None:
    """Make a mashup; expect its stages, and its arrangement and report."""
    expect(page.get_by_text("20 of 20 mashups left this month.")).to_be_visible()
    page.get_by_role("spinbutton", name="Tempo in BPM").fill("120")
    record_progress(page)
    page.get_by_role("button", name="Make the mashup").click()
    play = page.get_by_role("button", name="Play Lantern over Harbor")
    expect(play).to_be_enabled()
    seen = recorded_progress(page)
    assert {"Preparing the stems", "Mastering"} <= {what for what, _ in seen}
    done = [share for _, share in seen if share is not None]
    assert done == sorted(done)
    expect(page.get_by_role("heading", name="Measurements")).to_be_visible()


def hear_tones_of_mashup(page: Page, studio: StudioService, user: UUID) -> None:
    """Expect the tone of each stem at its new pitch in the middle, before and after mastering."""
    (row,) = studio.sql(
        "SELECT output_data -> 'plan' AS plan FROM ai_jobs "
        "WHERE user_id = %s AND job_type = 'mashup'",
        user,
    )
    semitones = {clip["source"]: clip["semitones"] for clip in row["plan"]["clips"]}
    assert len(semitones) == 4
    page.get_by_role("slider", name="Waveform of Lantern over Harbor").click()
    page.get_by_role("button", name="Play Lantern over Harbor").click()
    for side, label in (("master", "Mastered"), ("before", "Before mastering")):
        page.get_by_role("radio", name=label, exact=True).check()
        for source, steps in semitones.items():
            frequency_hz = TONES_HZ[source.partition("/")[2]] * 2 ** (steps / 12)
            wait_until_heard(page, ".listen", side, frequency_hz)
    page.get_by_role("button", name="Pause Lantern over Harbor").click()


def save(page: Page, creator_id: str) -> None:
    page.get_by_role("textbox", name="Title").fill("Lantern in the Harbor")
    page.get_by_role("checkbox", name="Public").check()
    page.get_by_role("button", name="Save the mashup").click()
    credited = page.locator(".result .credits").get_by_role("listitem")
    expect(credited).to_have_count(2)
    expect(credited.filter(has_text="You")).to_contain_text("3 stems75.00 %")
    expect(credited.filter(has_text=f"Creator {creator_id[:8]}")).to_contain_text("1 stem25.00 %")
    saved = page.get_by_role("region", name="Saved mashups")
    expect(saved.get_by_role("link", name="Lantern in the Harbor", exact=True)).to_be_visible()
    saved.get_by_role("radio", name="All").check()
    expect(saved.get_by_role("listitem").filter(has_text="Public").first).to_be_visible()
    expect(saved.get_by_text("Lantern", exact=True)).to_have_count(0)  # it has stems, but no audio
