"""Time to first sound and memory of the studio's transport, in Chromium.

    python -m benchmarks.player [--minutes N]

Four stereo stems of four minutes come from a server on this machine. Needs Playwright and Chromium.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from benchmarks.results import publish, table
from tests.browser import songs
from tests.browser.chromium import OPTIONS, chromium, launched, started
from tests.browser.server import FileServer
from tests.processes import Process, stop_with_tests

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

STEMS = ("drums", "bass", "other", "vocals")
RATE, SONG_S = 44_100, 240
_RUNS = 10
_SAMPLE_S = 1.0
_PHASES = {"seeks": 60, "seek_s": 2, "rest_s": 10}
_ROWS = {
    "playing": "{minutes} minutes of playing",
    "seeking": "{seeks} seeks, one in {seek_s} s",
    "closed": "closed, after the first {rest_s} s",
}
_LISTENER = """import {{ open, tracksOf }} from "/support/harness.js";
const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
const phase = (name) => fetch("/phase", {{ method: "PUT", body: name }});
await sleep({rest_s});
await phase("page");
await sleep({rest_s});
const transport = open(tracksOf({names}));
await transport.ready;
transport.loop = {{ startS: 0, endS: 240 }};
transport.play();
await phase("playing");
await sleep(60 * {minutes});
await phase("seeking");
for (let n = 0; n < {seeks}; n++) {{
  transport.seek((37 * n) % 240);
  await sleep({seek_s});
}}
await transport.close();
await sleep({rest_s});
await phase("closed");
await sleep({rest_s});
await phase("end");
"""
"""Page that plays without developer tools, which would keep all answers of the server."""

_SETUP = """async (names) => {
  const { open, tracksOf } = await import("/support/harness.js");
  window.load = () => open(tracksOf(names));
}"""
_FIRST_SOUND = """async (isLoaded) => {
  let begin = performance.now();
  const transport = load();
  if (isLoaded) {
    await transport.ready;
    while (!transport.decodedBytes) await new Promise(requestAnimationFrame);
    begin = performance.now();
  }
  transport.play();
  await transport.ready;
  const samples = new Float32Array(128);
  for (const { id } of transport.tracks) {
    do {
      await new Promise((resolve) => setTimeout(resolve));
      transport.analyser(id).getFloatTimeDomainData(samples);
    } while (!samples.some(Boolean));
  }
  const passed = performance.now() - begin;
  await transport.close();
  return passed;
}"""


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10)
    minutes = parser.parse_args().minutes
    with (
        tempfile.TemporaryDirectory() as folder,
        FileServer(Path(folder)) as files,
        started() as playwright,
    ):
        for number, name in enumerate(STEMS):
            audio = songs.noise(SONG_S * RATE, 2, number, 0.05)
            audio += songs.tone(SONG_S * RATE, 220 * 2**number, RATE)
            songs.write(Path(folder) / f"{name}.flac", audio, RATE)
        with launched(playwright) as browser:
            sounds = {
                name: [first_sound_s(browser, files, is_loaded) for _ in range(_RUNS)]
                for name, is_loaded in (("page that has nothing yet", False), ("loaded page", True))
            }
        memory = memories_mb(files, minutes)
    publish(
        "player",
        f"Four stems of {SONG_S // 60} minutes (FLAC, 16 bits, {RATE:,} Hz, stereo). Time from the "
        "call of `play` until all four stems sound; the page is new each time.",
        table(
            ("play on a", "median s", "longest s"),
            [
                (name, f"{statistics.median(times):.2f}", f"{max(times):.2f}")
                for name, times in sounds.items()
            ],
        ),
        "Peak of the memory of all processes of Chromium above that of the page before it has a "
        "transport.",
        table(("phase", "MB"), memory),
    )


def opened(browser: Browser, files: FileServer) -> Page:
    """Return a new page that can load the transport."""
    page = browser.new_page()
    page.goto(files.url)
    page.evaluate(_SETUP, STEMS)
    return page


def first_sound_s(browser: Browser, files: FileServer, is_loaded: bool) -> float:
    """Return the time from the call of `play` until all stems sound."""
    page = opened(browser, files)
    passed_ms: float = page.evaluate(_FIRST_SOUND, is_loaded)
    page.close()
    return passed_ms / 1_000


def memories_mb(files: FileServer, minutes: float) -> list[tuple[str, str]]:
    """Return the peaks of memory above the page while the song plays, is sought, and after it."""
    script = _LISTENER.format(names=json.dumps(STEMS), minutes=minutes, **_PHASES)
    (files.folder / "listener.js").write_text(script)
    (files.folder / "listener.html").write_text(
        "<!doctype html><script type=module src=/files/listener.js></script>"
    )
    peaks: dict[str, float] = {}
    path = chromium()
    assert path is not None
    with tempfile.TemporaryDirectory() as profile:
        options = (*OPTIONS, "--headless", f"--user-data-dir={profile}")
        command = [path, *options, f"{files.url}files/listener.html"]
        with Process(command, preexec_fn=stop_with_tests, stderr=subprocess.DEVNULL) as browser:
            phase = ""
            while phase != "end":
                peaks[phase] = max(peaks.get(phase, 0.0), memory_mb(browser.pid))
                time.sleep(_SAMPLE_S)
                phase = files.received.get("phase", b"").decode()
            browser.terminate()
    page_mb = peaks["page"]
    return [
        (name.format(minutes=f"{minutes:g}", **_PHASES), f"{peaks[phase] - page_mb:.0f}")
        for phase, name in _ROWS.items()
    ]


def memory_mb(pid: int) -> float:
    """Return the memory that a process and its descendants share with no other."""
    root = psutil.Process(pid)
    total_kb = 0
    for process in (root, *root.children(recursive=True)):
        try:
            lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):  # ended
            continue
        total_kb += sum(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty:"))
    return total_kb / 1_024


if __name__ == "__main__":
    main()
