"""The transport as a media element of wavesurfer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mashup_worker.api.studio.libraries import COMMAND, are_complete
from tests.browser import songs

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.server import FileServer

RATE = 8_000
MEDIA = """async () => {
  const { open, tracksOf } = await import("/support/harness.js");
  const { TransportMedia } = await import("/audio/media.js");
  const transport = open(tracksOf(["song"]));
  const media = (window.media = new TransportMedia(transport, "song"));
  window.seen = [];
  const names = ["loadedmetadata", "durationchange", "canplay", "play", "pause", "seeking",
    "seeked", "timeupdate", "ended", "volumechange", "error"];
  for (const name of names) media.addEventListener(name, () => seen.push(name));
}"""
SURFER = """async () => {
  const folder = "/page/libraries/wavesurfer.js/dist";
  const { default: WaveSurfer } = await import(`${folder}/wavesurfer.esm.js`);
  const surfer = (window.surfer = WaveSurfer.create({
    container: document.body, media, peaks: [new Float32Array(100).fill(0.5)], duration: 6,
  }));
  await new Promise((resolve) => surfer.on("ready", resolve));
  surfer.on("finish", () => seen.push("finish"));
}"""


@pytest.fixture
def media(page: Page, files: FileServer) -> Page:
    songs.write(files.folder / "song.flac", songs.tone(6 * RATE, 440, RATE), RATE)
    page.evaluate(MEDIA)
    return page


def wait(page: Page, condition: str) -> None:
    page.wait_for_function(f"() => {condition}", timeout=20_000)


def test_it_has_the_states_and_events_of_a_media_element(media: Page) -> None:
    facts = "[media.paused, media.ended, media.currentTime, media.volume, media.muted]"
    assert media.evaluate(facts) == [True, False, 0, 1, False]
    wait(media, "seen.includes('canplay')")
    assert media.evaluate("[media.duration, media.readyState]") == [6, 4]
    media.evaluate("media.currentTime = 5.7")
    assert media.evaluate("media.currentTime") == pytest.approx(5.7)
    media.evaluate("media.volume = 0.5, media.muted = true")
    assert media.evaluate("transport.mixer.setting('song')") == {
        "gain": 0.5,
        "muted": True,
        "solo": False,
    }
    media.evaluate("void media.play()")
    wait(media, "media.ended")
    assert media.evaluate("media.paused")
    seen = media.evaluate("seen.filter((name) => name !== 'timeupdate')")
    assert seen == [
        *("durationchange", "loadedmetadata", "canplay", "seeking", "seeked"),
        *("volumechange", "volumechange", "play", "pause", "ended"),
    ]


def test_a_transport_that_fails_is_an_error(page: Page, files: FileServer) -> None:
    files.failures["song.json"] = 403
    page.evaluate(MEDIA)
    wait(page, "seen.includes('error')")
    assert page.evaluate("media.error.message") == "/files/song.json: HTTP 403"
    assert page.evaluate("media.readyState") == 0


@pytest.mark.skipif(not are_complete(), reason=f"the page has no libraries: {COMMAND}")
def test_wavesurfer_plays_and_seeks_through_it(media: Page) -> None:
    media.evaluate(SURFER)
    wait(media, "transport.state === 'ready'")
    media.evaluate("surfer.seekTo(0.5)")
    assert media.evaluate("transport.positionS") == pytest.approx(3)
    media.evaluate("void surfer.play()")
    wait(media, "surfer.isPlaying() && surfer.getCurrentTime() > 3.1")
    media.evaluate("surfer.pause()")
    assert not media.evaluate("transport.playing")
    media.evaluate("surfer.setTime(5.8), void surfer.play()")
    wait(media, "seen.includes('finish') && !surfer.isPlaying()")
    media.evaluate("surfer.destroy(), media.remove()")
    assert media.evaluate("transport.state") == "ready"
