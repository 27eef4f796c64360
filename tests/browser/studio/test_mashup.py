"""Mashup: choice, roles, progress, the result in both sides, saving with credits, limits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from mashup_worker.audio.player_names import waveform_name
from tests.browser.studio.world import RATE, SONG_S
from tests.integration.api.process import until

if TYPE_CHECKING:
    from uuid import UUID

    from playwright.sync_api import Page

    from mashup_worker.db.jobs import Job
    from tests.browser.studio.world import Studio

pytestmark = pytest.mark.slow

MASTER_HZ, BEFORE_HZ = 660.0, 330.0
BIN_HZ = RATE / 2_048
LOUDER_DB = 20.0
"""Difference between both sides, in loudness and in level."""

LEVELS = """async ([sounding, quiet]) => {
    const { transport } = document.querySelector(".listen");
    const peak = (id) => {
        const analyser = transport.analyser(id);
        const bins = new Float32Array(analyser.frequencyBinCount);
        analyser.getFloatFrequencyData(bins);
        const level = Math.max(...bins);
        const widthHz = transport.sampleRate / analyser.fftSize;
        return { level, frequency: bins.indexOf(level) * widthHz };
    };
    let last = -Infinity;
    for (let tries = 0; tries < 600; tries++) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        const [heard, other] = [peak(sounding), peak(quiet)];
        // The spectrum is smoothed over time.
        const isSteady = Math.abs(heard.level - last) < 0.01;
        if (other.level < -90 && heard.level > -80 && isSteady) return heard;
        last = heard.level;
    }
    throw new Error(`${sounding} is not heard alone`);
}"""
"""Level and frequency of a side once it is heard, and the other is not."""


def choose_stems(studio: Studio, user: UUID, page: Page) -> None:
    """Choose the vocals of one song and the drums of another, which belongs to someone else."""
    studio.owner.execute("UPDATE stems SET is_public = false")
    studio.song(user, "night.mp3")
    other = studio.song(studio.database.new_user(), "theirs.mp3")
    studio.owner.execute("UPDATE stems SET is_public = true WHERE job_id = %s", [other])
    page.goto(f"{studio.api.url}/studio/stems")
    page.get_by_role("button", name="Add to mashup Vocals of night").click()
    page.get_by_role("button", name="Add to mashup Drums of Untitled song").click()
    page.get_by_role("link", name="Mashup 2 songs or stems chosen").click()
    page.get_by_role("heading", name="Songs and stems").wait_for()


def newest(studio: Studio, user: UUID) -> Job:
    """Return the newest mashup job of a user, once it exists."""
    until(lambda: studio.jobs_of(user)[0].job_type == "mashup")
    return studio.jobs_of(user)[0]


def audio(key: str, loudness_lufs: float) -> dict[str, Any]:
    """Return stored audio in the output of a job."""
    return {
        "key": key,
        "peaks_key": waveform_name(key),
        "format": "flac",
        "bytes": 1_000_000,
        "duration_s": float(SONG_S),
        "loudness_lufs": loudness_lufs,
    }


def output(studio: Studio, job: Job) -> dict[str, Any]:
    """Store the sound of a mashup, and return the output of its job."""
    master = studio.tone(f"jobs/{job.id}/1/mashup.flac", MASTER_HZ, level=0.5)
    before = studio.tone(f"jobs/{job.id}/1/unmastered.flac", BEFORE_HZ, level=0.05)
    kinds = ("vocals", "drums")
    stems = job.input_data["stems"]
    clip = {"source_bars": 6, "stretch_ratio": 1, "gain_db": 0, "automation": []}
    fades = {"fade_in_bars": 0, "fade_out_bars": 0}
    clips = [
        {**clip, **fades, "source": f"night/{kind}", "at_bar": 0, "bars": 6, "from_bar": index}
        | {"semitones": index}
        for index, kind in enumerate(kinds)
    ]
    plan = {
        "form": "layer",
        "vibe": "club",
        "intensity": 0.5,
        "transition": "cut",
        "seed": 0,
        "key": "A minor",
        "grid": {"tempo_bpm": 120.0, "beats_per_bar": 4, "bars": 6},
        "sources": {
            f"night/{kind}": {"song": "night", "kind": kind, "tempo_bpm": 120.0} for kind in kinds
        },
        "clips": clips,
        "sections": [{"name": "intro", "at_bar": 0, "bars": 6}],
        "master": {"loudness_lufs": -10.0, "true_peak_dbtp": -1.0},
        "notes": ["night: plays at its own tempo"],
    }
    measurements = [
        ("integrated loudness", -10.02, "LUFS", "-10 ± 0.1", True),
        ("true peak", -0.4, "dBTP", "<= -1 dBTP", False),
        ("loudness range", 3.2, "LU", "", None),
        ("night/drums: lag", 1.2, "ms", "<= 10 ms", True),
    ]
    names = ("name", "value", "unit", "wanted", "passed")
    report = {
        "passed": False,
        "measurements": [
            dict(zip(names, one, strict=True)) | {"detail": ""} for one in measurements
        ],
        "target_lufs": -10.0,
        "loudness_times_s": [3.0, 6.0, 9.0],
        "short_term_lufs": [-11.0, -10.0, -9.0],
        "notes": [],
    }
    used = [
        {"stem_id": stem["stem_id"], "kind": stem["kind"], "song": stem["song"]} for stem in stems
    ]
    return {
        "audio": audio(master, -10.0),
        "unmastered": audio(before, -10.0 - LOUDER_DB),
        "stems_used": used,
        "plan": plan,
        "report": report,
        "analysis": {},
        "warnings": [],
        "timings_s": {},
    }


def made(studio: Studio, user: UUID, page: Page) -> Job:
    """Make a mashup on the page."""
    choose_stems(studio, user, page)
    page.get_by_role("button", name="Make the mashup").click()
    job = newest(studio, user)
    studio.start(job.id, 40, "mix")
    studio.complete(job.id, output(studio, job))
    page.get_by_role("button", name="Play night").wait_for()
    return job


def test_a_mashup_is_made_with_progress(studio: Studio, user: UUID) -> None:
    with studio.page(user) as page:
        choose_stems(studio, user, page)
        assert page.get_by_label("Who sings").input_value() != ""
        page.get_by_role("radio", name="Hype").check()
        page.get_by_label("Tempo in BPM").fill("128")
        page.get_by_role("button", name="Make the mashup").click()
        page.get_by_text("Waiting in the queue").first.wait_for()
        job = newest(studio, user)
        assert [stem["kind"] for stem in job.input_data["stems"]] == ["drums", "vocals"]
        config = {"form": "layer", "vibe": "hype", "intensity": 0.5, "tempo_bpm": 128, "seed": 0}
        assert job.input_data["config"] == config
        assert job.input_data["format"] == "flac"
        studio.start(job.id, 40, "mix")
        current = page.locator("[aria-current=step]")
        current.filter(has_text="Mixing").wait_for()
        page.get_by_text("40\u00a0%").first.wait_for()
        studio.complete(job.id, output(studio, job))
        page.get_by_text("2 of 3 within their limits").wait_for()
        assert page.url == f"{studio.api.url}/studio/mashup/{job.id}"


def test_both_sides_are_heard_equally_loud(studio: Studio, user: UUID) -> None:
    with studio.page(user) as page:
        made(studio, user, page)
        page.evaluate("() => document.querySelector('.listen').transport.ready")
        page.get_by_role("button", name="Play night").click()
        master = page.evaluate(LEVELS, ["master", "before"])
        assert master["frequency"] == pytest.approx(MASTER_HZ, abs=BIN_HZ)
        page.get_by_role("radio", name="Before mastering").check()
        before = page.evaluate(LEVELS, ["before", "master"])
        assert before["frequency"] == pytest.approx(BEFORE_HZ, abs=BIN_HZ)
        assert master["level"] == pytest.approx(before["level"], abs=1.5)
        page.get_by_label("Equally loud").uncheck()
        page.get_by_role("radio", name="Mastered").check()
        loud = page.evaluate(LEVELS, ["master", "before"])
        assert loud["level"] == pytest.approx(master["level"] + LOUDER_DB, abs=0.5)


def test_clips_are_reached_by_keys_and_move_the_position(studio: Studio, user: UUID) -> None:
    with studio.page(user) as page:
        made(studio, user, page)
        clips = page.get_by_role("group", name="Clips of the arrangement").get_by_role("button")
        clips.first.focus()
        page.keyboard.press("ArrowDown")
        focused = page.evaluate("() => document.activeElement.getAttribute('aria-label')")
        assert focused == (
            "Drums of night, bars 1 to 6; from bar 2 of the song; at its own tempo; 1 semitone up"
        )
        page.get_by_role("slider", name=re.compile("Waveform")).focus()
        page.keyboard.press("ArrowRight")
        page.get_by_text(re.compile(r"0:0(4\.9|5\.0)")).wait_for()  # waveforms end with a pixel
        clips.last.click()
        page.get_by_text("0:00.0").wait_for()


def test_a_result_is_saved_with_credits_and_survives_a_reload(studio: Studio, user: UUID) -> None:
    with studio.page(user) as page:
        job = made(studio, user, page)
        page.get_by_label("Title", exact=True).fill("Night over Day")
        page.get_by_role("button", name="Save the mashup").click()
        saved = page.get_by_role("region", name="Saved", exact=True)
        saved.get_by_text("50.00\u00a0%").first.wait_for()
        assert saved.get_by_text("1 stem").count() == 2
        page.reload()
        page.get_by_role("heading", name="Night over Day").wait_for()
        assert page.url.endswith(str(job.id))
        page.get_by_role("button", name="Play Night over Day").last.wait_for()


def test_a_mashup_is_exported_by_a_job_that_is_no_take(studio: Studio, user: UUID) -> None:
    with studio.page(user) as page:
        job = made(studio, user, page)
        formats = page.get_by_label("For DJ programs and DAWs")
        assert formats.locator("option[value=rekordbox]").count() == 0
        formats.select_option("click")
        page.get_by_role("button", name="Make and download").click()
        until(lambda: newest(studio, user).id != job.id)
        made_by = newest(studio, user)
        assert (made_by.retry_of, made_by.input_data["export"]) == (job.id, ["click"])
        studio.start(made_by.id, 40, "mix")
        key = studio.tone(f"jobs/{made_by.id}/1/export-click.wav", 440.0)
        with page.expect_download() as download:
            exports = [{"format": "click", "key": key}]
            studio.complete(made_by.id, {"exports": exports, "warnings": []})
        assert download.value.suggested_filename.endswith(" - click.wav")
        other = page.context.new_page()
        other.goto(f"{studio.api.url}/studio/mashup")
        other.get_by_role("heading", name="Measurements").wait_for()
        assert other.url.endswith(str(job.id))
        assert other.get_by_role("tab").count() == 1


def test_a_new_tab_shows_the_newest_mashups(studio: Studio, user: UUID) -> None:
    with studio.page(user) as page:
        job = made(studio, user, page)
        other = page.context.new_page()
        other.goto(f"{studio.api.url}/studio/mashup")
        other.get_by_role("heading", name="Measurements").wait_for()
        assert other.url.endswith(str(job.id))
        other.get_by_role("button", name="Close this take").click()
        other.get_by_role("heading", name="No mashup yet").wait_for()
        other.reload()
        other.get_by_role("heading", name="No mashup yet").wait_for()


def test_takes_stand_side_by_side(studio: Studio, user: UUID) -> None:
    with studio.page(user) as page:
        first = made(studio, user, page)
        page.get_by_role("radio", name="Chill").check()
        page.get_by_role("radio", name="Medley").check()
        page.get_by_text("Short parts of the songs play one after another.").wait_for()
        page.get_by_role("button", name="Make the mashup").click()
        until(lambda: newest(studio, user).id != first.id)
        second = newest(studio, user)
        assert second.input_data["config"]["form"] == "medley"
        page.get_by_role("tab", name="Take 2").wait_for()
        page.get_by_role("button", name="Cancel").click()
        until(lambda: newest(studio, user).cancel_requested_at is not None)
        studio.cancel(second.id)
        page.get_by_text("Canceled. Try again to make the mashup.").wait_for()
        page.get_by_role("tab", name="Take 2").focus()
        page.keyboard.press("ArrowLeft")
        page.get_by_role("button", name="Play night").wait_for()
        assert page.url.endswith(str(first.id))


def test_the_limit_stands_at_the_button(studio: Studio) -> None:
    user = studio.database.new_user("free")
    with studio.page(user) as page:
        choose_stems(studio, user, page)
        words = "The free tier includes no mashups per month. Upgrade to the pro tier."
        page.get_by_role("status").filter(has_text=words).wait_for()
        page.get_by_role("button", name="Make the mashup").click()
        page.get_by_role("alert").filter(has_text=words).wait_for()


def test_a_result_of_someone_else_is_not_shown(studio: Studio, user: UUID) -> None:
    with studio.page(user) as page:
        page.goto(f"{studio.api.url}/studio/mashup/{uuid4()}")
        page.get_by_text("It was removed, or it belongs to someone else.").wait_for()
        page.get_by_role("button", name="Close this take").click()
        page.get_by_role("heading", name="No mashup yet").wait_for()
