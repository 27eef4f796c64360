"""The mixdown is what the mixer plays."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from tests.browser import songs

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from playwright.sync_api import Page

    from tests.browser.server import FileServer

RATE = 44_100
MIX = """async ([names, set]) => {
  const { open, tracksOf } = await import("/support/harness.js");
  const { mixdown } = await import("/audio/mixdown.js");
  const transport = open(tracksOf(names));
  await transport.ready;
  for (const [call, ...values] of set) transport[call](...values);
  const shares = [], reduced = [];
  const options = {
    onProgress: (share) => shares.push(share),
    onReduced: (gainDb) => reduced.push(gainDb),
  };
  const blob = await mixdown(transport, options);
  await fetch("/mix", { method: "PUT", body: blob });
  return { shares, reduced, type: blob.type };
}"""


@pytest.fixture(scope="module")
def stems(files: FileServer) -> dict[str, songs.Samples]:
    """Stems of a little more than two slices; one is mono and shorter."""
    shapes = {"one": (17 * RATE + 3, 2), "two": (17 * RATE + 3, 2), "mono": (9 * RATE + 1, 1)}
    return {
        name: songs.write(files.folder / f"{name}.flac", songs.noise(*shape, seed=seed))
        for seed, (name, shape) in enumerate(shapes.items())
    }


def mix(page: Page, *names: str, set_: Any = ()) -> Any:
    return page.evaluate(MIX, [names, set_])


def heard(files: FileServer) -> NDArray[np.int16]:
    samples, rate = soundfile.read(io.BytesIO(files.received["mix"]), dtype="int16")
    assert rate == RATE
    return np.asarray(samples)


def summed(stems: dict[str, songs.Samples], **gains: float) -> NDArray[np.float64]:
    total = np.zeros((17 * RATE + 3, 2))
    for name, gain in gains.items():
        total[: len(stems[name])] += gain * stems[name]
    return total * 32_768


def test_a_single_stem_is_its_file(
    page: Page, files: FileServer, stems: dict[str, songs.Samples]
) -> None:
    done = mix(page, "one")
    assert np.array_equal(heard(files), np.rint(summed(stems, one=1)))
    assert done["reduced"] == []
    assert done["type"] == "audio/wav"
    assert done["shares"] == sorted(done["shares"])
    assert done["shares"][-1] == 1


def test_gains_mute_and_solo_count(
    page: Page, files: FileServer, stems: dict[str, songs.Samples]
) -> None:
    mix(page, "one", "two", "mono", set_=[("setGain", "mono", 0.25), ("setMuted", "two", True)])
    assert abs(heard(files) - summed(stems, one=1, mono=0.25)).max() <= 1
    mix(page, "one", "two", "mono", set_=[("setSolo", "two", True), ("setGain", "two", 0.5)])
    assert abs(heard(files) - summed(stems, two=0.5)).max() <= 1


def test_a_mix_that_would_clip_becomes_quieter_as_a_whole(page: Page, files: FileServer) -> None:
    loud = {
        name: songs.write(files.folder / f"{name}.flac", songs.noise(9 * RATE, 2, seed, 0.9))
        for seed, name in enumerate(("loud", "louder"))
    }
    done = mix(page, *loud)
    wanted = loud["loud"] + loud["louder"]
    peak = abs(wanted).max()
    assert peak > 1.5
    assert done["reduced"] == [pytest.approx(-20 * np.log10(peak), abs=0.001)]
    assert abs(heard(files) - wanted / peak * 32_768).max() <= 2


def test_a_silent_mix_is_refused(page: Page, stems: dict[str, songs.Samples]) -> None:
    assert stems
    with pytest.raises(Exception, match="no track is audible"):
        mix(page, "one", set_=[("setMuted", "one", True)])
