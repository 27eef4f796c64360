"""Song: stems in one player, corrections and downloads."""

from __future__ import annotations

import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from tests.browser.studio.world import RATE, SONG_S, TONES_HZ

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from playwright.sync_api import Page

    from tests.browser.studio.world import Studio

HEARD = """async (kinds) => {
    const { transport } = document.querySelector(".player");
    await transport.ready.catch(() => {});  // a stem may be missing
    const loudest = (kind) => {
        const analyser = transport.analyser(kind);
        const bins = new Float32Array(analyser.frequencyBinCount);
        analyser.getFloatFrequencyData(bins);
        const at = bins.indexOf(Math.max(...bins));
        const widthHz = transport.sampleRate / analyser.fftSize;
        return bins[at] > -60 ? at * widthHz : null;
    };
    for (let tries = 0; ; tries++) {
        const heard = Object.fromEntries(Object.keys(TONES).map((kind) => [kind, loudest(kind)]));
        const right = Object.entries(TONES).every(([kind, toneHz]) =>
            kinds.includes(kind) ? Math.abs(heard[kind] - toneHz) < BIN_HZ : heard[kind] === null);
        if (right || tries > 600) return heard;
        await new Promise(requestAnimationFrame);
    }
}"""
"""Loudest frequency of each stem, null for silence, once the given stems are heard.

The first moments of a tone have other frequencies too."""

BIN_HZ = RATE / 2_048


@contextmanager
def opened(studio: Studio, user: UUID, song: UUID) -> Iterator[Page]:
    """Yield the page of a song whose stems can be played."""
    with studio.page(user) as page:
        page.goto(f"{studio.api.url}/studio/songs/{song}")
        page.get_by_role("button", name="Play", exact=True).wait_for()
        page.evaluate("() => document.querySelector('.player').transport.ready")
        yield page


def transport(page: Page, expression: str) -> Any:
    """Evaluate an expression over the transport."""
    return page.evaluate(
        f"() => {{ const {{ transport }} = document.querySelector('.player');"
        f" return {expression}; }}"
    )


def check_heard(page: Page, *kinds: str) -> None:
    """Check that these stems sound, each at its own tone, and no other."""
    script = HEARD.replace("TONES", str(dict(TONES_HZ))).replace("BIN_HZ", str(BIN_HZ))
    heard = page.evaluate(script, [kind for kind in TONES_HZ if kind in kinds])
    assert {kind for kind, tone_hz in heard.items() if tone_hz is not None} == set(kinds)
    for kind in kinds:
        assert heard[kind] == pytest.approx(TONES_HZ[kind], abs=BIN_HZ)


def test_each_stem_is_heard_muted_and_soloed_by_keys(studio: Studio, user: UUID) -> None:
    with opened(studio, user, studio.song(user)) as page:
        page.keyboard.press("Space")
        check_heard(page, *TONES_HZ)
        for number, kind in enumerate(TONES_HZ, 1):
            page.keyboard.press(f"Shift+Digit{number}")
            check_heard(page, kind)
            page.keyboard.press(f"Shift+Digit{number}")
        page.keyboard.press("2")
        check_heard(page, "vocals", "bass", "other")
        assert page.get_by_role("button", name="Mute Drums").get_attribute("aria-pressed") == "true"
        page.keyboard.press("Space")
        assert transport(page, "transport.playing") is False


def test_keys_go_to_beats_and_bars(studio: Studio, user: UUID) -> None:
    with opened(studio, user, studio.song(user)) as page:
        for keys, position_s in (
            ("ArrowRight", 0.5),
            ("Shift+ArrowRight", 2.0),
            ("Shift+ArrowRight", 4.0),
            ("ArrowLeft", 3.5),
            ("Shift+ArrowLeft", 2.0),
            ("End", SONG_S),
            ("Home", 0.0),
        ):
            page.keyboard.press(keys)
            assert transport(page, "transport.positionS") == pytest.approx(position_s, abs=1e-3)
        slider = page.get_by_role("slider", name="Position")
        assert slider.get_attribute("aria-valuetext") == "0:00, bar 1, beat 1"


def test_a_loop_is_dragged_typed_and_set_by_keys(studio: Studio, user: UUID) -> None:
    with opened(studio, user, studio.song(user)) as page:
        box = page.get_by_role("slider", name="Position").bounding_box()
        assert box is not None

        def x_of(seconds: float) -> float:
            return box["x"] + box["width"] * seconds / SONG_S

        y = box["y"] + box["height"] / 2
        page.mouse.move(x_of(2.6), y)
        page.mouse.down()
        page.mouse.move(x_of(5.2), y, steps=4)
        page.mouse.up()
        assert transport(page, "transport.loop") == {"startS": 2, "endS": 6}
        page.get_by_label("Last bar of the loop").fill("4")
        page.keyboard.press("Enter")
        assert transport(page, "transport.loop") == {"startS": 2, "endS": 8}
        page.get_by_role("heading", level=1).click()
        page.keyboard.press("l")
        assert transport(page, "transport.loop") is None
        page.mouse.click(x_of(6.5), y)
        assert transport(page, "transport.positionS") == pytest.approx(6.5, abs=0.05)
        page.keyboard.press("[")
        assert transport(page, "transport.loop") == {"startS": 6, "endS": SONG_S}


def test_a_correction_is_saved_and_can_be_reset(studio: Studio, user: UUID) -> None:
    song = studio.song(user)
    with opened(studio, user, song) as page:
        page.get_by_label("Double: 240").check()
        page.get_by_text("Saved", exact=True).wait_for()
        page.get_by_role("button", name="One beat later").click()
        page.get_by_label("Half a beat later").check()
        page.get_by_label("Key", exact=True).select_option("C major")
        facts = page.locator(".song-facts")
        facts.get_by_text("C major").wait_for()
        facts.get_by_text("240\u00a0BPM").wait_for()
        [row] = studio.owner.execute(
            "SELECT tempo_factor, downbeat_shift, musical_key"
            " FROM mashup_worker.song_corrections WHERE job_id = %s",
            [song],
        ).fetchall()
        assert tuple(row.values()) == (2, 1.5, "C major")
        page.reload()
        assert page.get_by_label("Double: 240").is_checked()
        page.get_by_text("1 beat later", exact=True).wait_for()
        page.get_by_role("button", name="Reset").click()
        facts.get_by_text("120\u00a0BPM").wait_for()
        facts.get_by_text("A minor").wait_for()


def test_the_mix_that_plays_is_saved_as_a_file(studio: Studio, user: UUID) -> None:
    with opened(studio, user, studio.song(user, "night.mp3")) as page:
        page.keyboard.press("Shift+Digit3")
        with page.expect_download() as download:
            page.get_by_role("button", name="What plays now").click()
        assert download.value.suggested_filename == "night - mix.wav"
        samples, rate = soundfile.read(download.value.path(), always_2d=True)
        assert (rate, samples.shape) == (RATE, (SONG_S * RATE, 2))
        spectrum = np.abs(np.fft.rfft(samples[:RATE, 0]))
        assert np.argmax(spectrum) == TONES_HZ["bass"]
        others = [spectrum[round(tone)] for kind, tone in TONES_HZ.items() if kind != "bass"]
        assert max(others) < spectrum.max() / 1_000


def test_all_stems_are_downloaded_as_one_archive(studio: Studio, user: UUID) -> None:
    with opened(studio, user, studio.song(user, "night.mp3")) as page:
        with page.expect_download() as download:
            page.get_by_role("link", name="All stems").click()
        assert download.value.suggested_filename == "night - stems.zip"
        with zipfile.ZipFile(download.value.path()) as archive:
            assert archive.testzip() is None
            names = archive.namelist()
        assert sorted(names) == sorted(f"night/{kind}.flac" for kind in TONES_HZ)


def test_an_export_is_made_by_a_job_and_downloaded(studio: Studio, user: UUID) -> None:
    with opened(studio, user, studio.song(user, "night.mp3")) as page:
        page.get_by_label("For DJ programs and DAWs").select_option("loops")
        page.get_by_role("button", name="Make and download").click()
        page.get_by_text("Making the file").first.wait_for()
        job = studio.jobs_of(user)[0]
        assert (job.job_type, job.input_data["export"]) == ("analyze", ["loops"])
        studio.start(job.id, 40, "rhythm")
        key = studio.tone(f"jobs/{job.id}/1/export-loops.zip", 440.0)
        with page.expect_download() as download:
            exports = [{"format": "loops", "key": key}]
            studio.complete(job.id, {"analysis": {}, "exports": exports, "warnings": []})
        assert download.value.suggested_filename == "night - loops.zip"
        page.get_by_role("button", name="Make and download").click()
        page.get_by_text("Making the file").first.wait_for()
        job = studio.jobs_of(user)[0]
        studio.start(job.id)
        warnings = ["export loops: night: no 4 bars that sound; loops need them"]
        studio.complete(job.id, {"analysis": {}, "exports": [], "warnings": warnings})
        page.get_by_text("no 4 bars that sound").wait_for()


def test_a_stem_that_is_missing_is_named_and_loaded_again(studio: Studio, user: UUID) -> None:
    song = studio.song(user)
    key = f"jobs/{song}/1/drums.flac"
    with studio.page(user) as page:
        moved = studio.taken_away(key)
        page.goto(f"{studio.api.url}/studio/songs/{song}")
        page.get_by_text("Drums could not be loaded.").wait_for()
        page.keyboard.press("Space")
        check_heard(page, "vocals", "bass", "other")
        studio.put(key, moved, "audio/flac")
        page.get_by_role("button", name="Load again").click()
        page.get_by_text("Drums could not be loaded.").wait_for(state="detached")
        page.evaluate("() => document.querySelector('.player').transport.ready")
        page.get_by_role("button", name="Play", exact=True).click()
        check_heard(page, *TONES_HZ)


def test_stems_and_the_song_are_chosen_for_a_mashup(studio: Studio, user: UUID) -> None:
    with opened(studio, user, studio.song(user)) as page:
        page.get_by_role("button", name="Add night - Vocals to the mashup").click()
        page.get_by_role("button", name="Add to mashup night").click()
        page.get_by_role("link", name="Mashup 2 songs or stems chosen").wait_for()
        page.reload()
        page.get_by_role("link", name="Mashup 2 songs or stems chosen").wait_for()


def test_the_license_of_the_model_is_shown(studio: Studio, user: UUID) -> None:
    with opened(studio, user, studio.song(user)) as page:
        note = page.locator(".model-note")
        assert note.inner_text().split("\n") == [
            "Separated by htdemucs",
            "License of the model: scientific-only, business use restricted",
        ]
        link = note.get_by_role("link")
        assert link.get_attribute("href") == "https://github.com/facebookresearch/demucs/issues/327"
