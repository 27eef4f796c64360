"""The transport plays in real time, and gets through faults."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from tests.browser import songs
from tests.browser.chromium import launched
from tests.browser.server import CUT

if TYPE_CHECKING:
    from playwright.sync_api import Page, Playwright

    from tests.browser.server import FileServer

RATE = 44_100
BIN_HZ = RATE / 2048
TONES_HZ = {name: 20 * 2**n * BIN_HZ for n, name in enumerate(("drums", "bass", "other", "vocals"))}
"""Frequencies that an analyser has bins for."""

STEMS = tuple(TONES_HZ)


@pytest.fixture(scope="module", autouse=True)
def _stems(files: FileServer) -> None:
    for name, frequency_hz in TONES_HZ.items():
        songs.write(files.folder / f"{name}.flac", songs.tone(12 * RATE, frequency_hz, RATE))


def track(name: str) -> dict[str, str]:
    return {"id": name, "audioUrl": f"/files/{name}.flac", "framesUrl": f"/files/{name}.json"}


def open_transport(page: Page, *names: str) -> None:
    """Make `window.transport`, which loads."""
    page.evaluate(
        "async (tracks) => { (await import('/support/harness.js')).open(tracks); }",
        [track(name) for name in names],
    )


def opened(page: Page, *names: str) -> None:
    """Make `window.transport`, and wait until it can play."""
    open_transport(page, *names)
    page.evaluate("transport.ready")


def wait(page: Page, condition: str) -> None:
    page.wait_for_function(f"() => {condition}", timeout=20_000)


def events(page: Page) -> list[Any]:
    return page.evaluate("events")  # type: ignore[no-any-return]


def assert_heard(page: Page, *names: str) -> None:
    """Expect the tones of these stems, and silence of the others."""
    for name in page.evaluate("transport.tracks.map(({ id }) => id)"):
        frequency_hz = TONES_HZ.get(name, 0)
        tone = f"Math.abs(heard('{name}').hz - {frequency_hz}) < 22 && heard('{name}').db > -40"
        silence = f"heard('{name}').db < -90"
        wait(page, tone if name in names else silence)


def test_little_is_loaded_before_sound_starts(page: Page, files: FileServer) -> None:
    audio = songs.tone(60 * RATE, TONES_HZ["drums"], RATE)
    songs.write(files.folder / "minute.flac", audio, RATE)
    opened(page, "minute")
    wait(page, "transport.decodedBytes > 0")
    second = (files.folder / "minute.flac").stat().st_size / 60
    (index, none), (flac, part) = files.requests
    assert (index, none, flac) == ("minute.json", None, "minute.flac")
    start, end = map(int, (part or "").removeprefix("bytes=").split("-"))
    assert 0.5 * second < end - start < 1.5 * second


def test_every_stem_is_heard_and_mixed(page: Page) -> None:
    opened(page, *STEMS)
    assert page.evaluate("[transport.state, transport.durationS, transport.mode]") == [
        *("ready", 12, "slices")
    ]
    page.evaluate("void transport.play()")
    assert_heard(page, *STEMS)
    assert page.evaluate("[transport.state, transport.playing]") == ["playing", True]
    page.evaluate("transport.setMuted('bass', true)")
    assert_heard(page, "drums", "other", "vocals")
    page.evaluate("transport.setSolo('vocals', true), transport.setSolo('bass', true)")
    assert_heard(page, "vocals")
    page.evaluate("transport.setSolo('vocals', false), transport.setSolo('bass', false)")
    page.evaluate("transport.setMuted('bass', false)")
    assert_heard(page, *STEMS)
    quieter_db = "heard('other').db - heard('drums').db"
    wait(page, f"Math.abs({quieter_db}) < 0.1")
    page.evaluate("transport.setGain('drums', 0.5)")
    wait(page, f"Math.abs({quieter_db} - 6.02) < 0.1")
    page.evaluate("transport.pause()")
    assert_heard(page)
    assert events(page) == []


def test_the_position_is_that_of_the_audio_clock(page: Page) -> None:
    opened(page, "drums")
    page.evaluate("transport.seek(3.25)")
    assert page.evaluate("transport.positionS") == 3.25
    page.evaluate("void transport.play()")
    clocks = "[transport.positionS, transport.analyser('drums').context.currentTime]"
    wait(page, "transport.positionS > 3.3")
    position_s, clock_s = page.evaluate(clocks)
    wait(page, "transport.positionS > 4.3")
    later_position_s, later_clock_s = page.evaluate(clocks)
    # The clock may move on between two readings, by blocks of some milliseconds.
    assert later_position_s - position_s == pytest.approx(later_clock_s - clock_s, abs=0.03)
    page.evaluate("transport.pause()")
    paused_s = page.evaluate("transport.positionS")
    assert paused_s >= later_position_s
    page.evaluate("void transport.play()")
    assert paused_s <= page.evaluate("transport.positionS") < paused_s + 0.5


def test_a_position_that_is_no_number_is_refused_and_playing_goes_on(page: Page) -> None:
    opened(page, "bass")
    page.evaluate("transport.play()")
    wait(page, "transport.state === 'playing'")
    call = "try { transport.seek(NaN) } catch (error) { return error.name }"
    assert page.evaluate(f"() => {{ {call} }}") == "RangeError"
    page.evaluate("transport.seek(5)")
    wait(page, "transport.positionS > 5.1 && transport.state === 'playing'")
    assert page.evaluate("transport.failures.size") == 0


@pytest.mark.parametrize("part", ["json", "flac"])
def test_a_track_that_cannot_be_loaded_is_reported_and_the_others_play(
    page: Page, files: FileServer, part: str
) -> None:
    files.failures[f"bass.{part}"] = 403
    opened(page, *STEMS)
    page.evaluate("void transport.play()")
    assert_heard(page, "drums", "other", "vocals")
    reason = f"/files/bass.{part}: HTTP 403"
    assert events(page) == [["trackfailed", {"id": "bass", "reason": reason}]]
    assert page.evaluate("transport.state") == "playing"


def test_a_track_whose_file_is_damaged_fails(page: Page, files: FileServer) -> None:
    songs.write(files.folder / "damaged.flac", songs.noise(3 * RATE, 1))
    data = bytearray((files.folder / "damaged.flac").read_bytes())
    data[100_000:] = bytes(len(data) - 100_000)
    (files.folder / "damaged.flac").write_bytes(data)
    opened(page, "damaged", "drums")
    page.evaluate("void transport.play()")
    wait(page, "transport.failures.has('damaged')")
    assert_heard(page, "drums")


def test_a_transport_without_any_track_that_can_be_played_fails(
    page: Page, files: FileServer
) -> None:
    for name in STEMS:
        files.failures[f"{name}.flac"] = files.failures[f"{name}.json"] = 404
    open_transport(page, *STEMS)
    wait(page, "transport.state === 'failed'")
    assert sorted(detail["id"] for _, detail in events(page)) == sorted(STEMS)
    assert not page.evaluate("transport.playing")


def test_after_a_lost_connection_it_goes_on_at_the_same_sample(
    page: Page, files: FileServer
) -> None:
    stored = songs.write(files.folder / "noise.flac", songs.noise(8 * RATE, 1), RATE, "PCM_24")
    opened(page, "noise")
    wait(page, "transport.decodedBytes > 0")
    page.evaluate("record('noise')")
    page.context.set_offline(True)
    page.evaluate("void transport.play()")
    wait(page, "transport.state === 'waiting' && transport.waitingFor === 'connection'")
    clock = "transport.analyser('noise').context.currentTime"
    wait(page, f"{clock} - (window.since ??= {clock}) > 0.4")  # the rest has been played
    assert page.evaluate("transport.playing")
    where_s = page.evaluate("transport.positionS")
    assert 0.5 < where_s < 1.5
    page.context.set_offline(False)
    wait(page, f"transport.state === 'playing' && transport.positionS > {where_s + 1}")
    page.evaluate("transport.pause()")
    page.evaluate("send()")
    played = np.frombuffer(files.received["rendered"], np.float32)
    first, second = (group for group in _sounds(played) if len(group) > RATE / 4)
    border = len(first)
    assert np.allclose(first, stored[:border, 0], atol=2**-22)
    whole = len(second) - RATE // 20  # the end is faded out
    assert np.allclose(second[:whole], stored[border : border + whole, 0], atol=2**-22)


def _sounds(played: songs.Samples) -> list[songs.Samples]:
    """Return the stretches of a recording between silences of at least 1 ms."""
    loud = np.flatnonzero(played)
    breaks = np.flatnonzero(np.diff(loud) > RATE / 1_000)
    edges = [0, *(breaks + 1), len(loud)]
    return [played[loud[start] : loud[end - 1] + 1] for start, end in itertools.pairwise(edges)]


@pytest.mark.parametrize("status", [503, CUT], ids=["unavailable", "cut"])
def test_a_passing_fault_is_retried(page: Page, files: FileServer, status: int) -> None:
    files.failures["bass.flac"] = status
    opened(page, *STEMS)
    page.evaluate("void transport.play()")
    wait(page, "transport.state === 'waiting' && transport.waitingFor === 'connection'")
    del files.failures["bass.flac"]
    assert_heard(page, *STEMS)
    assert events(page) == []


def test_a_fault_that_stays_fails_the_track_only(page: Page, files: FileServer) -> None:
    files.failures["bass.flac"] = 500
    opened(page, *STEMS)
    page.evaluate("void transport.play()")
    wait(page, "transport.fetcher.retrying")
    while not page.evaluate("transport.failures.has('bass')"):
        page.evaluate("transport.retry()")
    assert_heard(page, "drums", "other", "vocals")


@pytest.mark.parametrize("part", ["json", "flac"])
def test_an_expired_session_is_reported_and_playing_goes_on_after_the_login(
    page: Page, files: FileServer, part: str
) -> None:
    for name in STEMS:
        files.failures[f"{name}.{part}"] = 401
    open_transport(page, *STEMS)
    page.evaluate("void transport.play()")
    state = "waiting" if part == "flac" else "loading"
    wait(page, f"transport.waitingFor === 'login' && transport.state === '{state}'")
    assert {name for name, _ in events(page)} == {"unauthorized"}
    files.failures.clear()
    page.evaluate("transport.retry()")
    page.evaluate("transport.ready")
    assert_heard(page, *STEMS)


def test_an_interruption_pauses_and_the_next_play_goes_on(page: Page) -> None:
    opened(page, *STEMS)
    page.evaluate("void transport.play()")
    wait(page, "transport.positionS > 0.3")
    page.evaluate("transport.analyser('bass').context.suspend()")
    wait(page, "transport.state === 'ready'")
    paused_s = page.evaluate("transport.positionS")
    assert paused_s >= 0.3
    page.evaluate("void transport.play()")
    wait(page, f"transport.positionS > {paused_s + 0.2}")
    assert_heard(page, *STEMS)


def test_an_idle_context_sleeps_and_wakes(page: Page) -> None:
    opened(page, "drums")
    page.evaluate("void transport.play()")
    assert_heard(page, "drums")
    page.evaluate("transport.pause()")
    wait(page, "transport.analyser('drums').context.state === 'suspended'")
    assert page.evaluate("transport.state") == "ready"
    page.evaluate("void transport.play()")
    assert_heard(page, "drums")


def test_sound_that_needs_a_gesture_is_started_by_one(
    playwright: Playwright, files: FileServer
) -> None:
    script = """addEventListener("DOMContentLoaded", async () => {
      const { open } = await import("/support/harness.js");
      const transport = open([TRACK]);
      const report = () => console.log(transport.state, transport.waitingFor);
      transport.addEventListener("change", report);
      document.onclick = () => transport.play();
      transport.play();
    })""".replace("TRACK", json.dumps(track("drums")))
    # Playwright's own evaluations count as gestures, so that the page reports by its console.
    with launched(playwright, "--autoplay-policy=document-user-activation-required") as browser:
        page = browser.new_page()
        page.add_init_script(script)
        with page.expect_console_message(lambda message: message.text == "waiting gesture"):
            page.goto(files.url)
        with page.expect_console_message(lambda message: message.text == "playing null"):
            page.mouse.click(5, 5)
        assert_heard(page, "drums")


def test_a_song_of_ten_minutes_plays_to_its_end(page: Page, files: FileServer) -> None:
    songs.write(files.folder / "long.flac", songs.tone(600 * 8_000, 440, 8_000), 8_000)
    opened(page, "long")
    assert page.evaluate("transport.durationS") == 600
    page.evaluate("transport.seek(599.5)")
    page.evaluate("void transport.play()")
    wait(page, "!transport.playing")
    assert events(page) == [["ended", None]]
    assert page.evaluate("[transport.state, transport.positionS]") == ["ready", 600]
    page.evaluate("void transport.play()")
    wait(page, "transport.state === 'playing' && transport.positionS > 0.1")
    assert page.evaluate("transport.positionS") < 5


def test_short_files_without_an_index_are_decoded(page: Page, files: FileServer) -> None:
    soundfile.write(files.folder / "tone.wav", songs.tone(2 * RATE, TONES_HZ["vocals"], RATE), RATE)
    tracks = [track("drums"), {"id": "vocals", "audioUrl": "/files/tone.wav", "framesUrl": "/none"}]
    page.evaluate(
        "async (tracks) => (await import('/support/harness.js')).open(tracks).ready", tracks
    )
    assert page.evaluate("transport.mode") == "slices"
    page.evaluate("transport.loop = {startS: 0.1, endS: 1.9}, transport.play()")
    for name in ("drums", "vocals"):
        wait(page, f"Math.abs(heard('{name}').hz - {TONES_HZ[name]}) < 22")


def test_long_files_without_an_index_play_one_at_a_time(page: Page, files: FileServer) -> None:
    for name in ("one", "other"):
        soundfile.write(files.folder / f"{name}.wav", songs.tone(100 * 8_000, 440, 8_000), 8_000)
    tracks = [{"id": name, "audioUrl": f"/files/{name}.wav"} for name in ("one", "other")]
    page.evaluate(
        "async (tracks) => (await import('/support/harness.js')).open(tracks).ready", tracks
    )
    assert page.evaluate("[transport.mode, transport.onlyTrack]") == ["element", "one"]
    assert page.evaluate("transport.durationS") == pytest.approx(100, abs=0.1)
    page.evaluate("transport.seek(50), transport.play()")
    wait(page, "transport.state === 'playing' && transport.positionS > 50.2")
    page.evaluate("transport.setMuted('one', true)")
    assert page.evaluate("transport.onlyTrack") == "other"
    wait(page, "transport.state === 'playing' && transport.positionS > 50.4")
    page.evaluate("transport.loop = {startS: 20, endS: 20.5}")
    wait(page, "transport.positionS > 20.3 && transport.positionS < 21")
    page.evaluate("transport.pause()")
    assert page.evaluate("transport.state") == "ready"
    assert page.evaluate("transport.positionS") < 21


def test_a_closed_transport_holds_nothing(page: Page) -> None:
    opened(page, *STEMS)
    page.evaluate("void transport.play()")
    assert_heard(page, *STEMS)
    assert page.evaluate("transport.decodedBytes") > 0
    context = page.evaluate_handle("transport.analyser('bass').context")
    page.evaluate("transport.close()")
    assert context.evaluate("(context) => context.state") == "closed"
    assert page.evaluate("[transport.decodedBytes, transport.playing]") == [0, False]
