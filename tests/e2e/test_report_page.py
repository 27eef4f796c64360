"""The report in a real browser: it decodes, plays, mutes and solos, and asks for nothing else."""

from __future__ import annotations

import http.server
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import scipy.signal
import soundfile as sf

from samples.report.content import Report, ReportTrack, SongSection
from samples.report.page import render_report

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
RATE_HZ = 44_100
SPAN_S = 2.5
STRIKES = (22_345, 70_707)
"""Samples at which the stems sound."""

# Runs before the page's own script: remembers what the page makes of the Web Audio interface.
SPY = """
window.seen = {gains: [], buffers: [], starts: [], errors: []};
addEventListener("error", (event) => seen.errors.push(event.message));
addEventListener("securitypolicyviolation", (event) => seen.errors.push(event.blockedURI));
const base = BaseAudioContext.prototype, {createGain, decodeAudioData} = base;
base.createGain = function () {
  const node = createGain.call(this);
  seen.gains.push(node);
  return node;
};
base.decodeAudioData = async function (data) {
  const place = seen.buffers.push(null) - 1;
  return (seen.buffers[place] = await decodeAudioData.call(this, data));
};
const {start} = AudioBufferSourceNode.prototype;
AudioBufferSourceNode.prototype.start = function (...when) {
  seen.starts.push(when);
  return start.apply(this, when);
};
"""

# Plays the part of a listener and posts what came of it.
LISTENER = """
const find = (selector) => document.querySelector(selector);
const key = (name) => document.body.dispatchEvent(
  new KeyboardEvent("keydown", {key: name, bubbles: true, cancelable: true}));
const until = async (test) => {
  for (let turn = 0; !test(); turn++) {
    if (turn === 12000) throw new Error(`never: ${test}, gains ${gains()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};
const playing = () => find(".song").classList.contains("playing");
const gains = () => seen.gains.slice(2).map((node) => Math.round(node.gain.value * 100) / 100);
const reached = (...wanted) => until(() => String(gains()) === String(wanted));
const result = {};
const listen = async () => {
  find(".play").click();
  await until(() => seen.starts.length === 3);
  await reached(0, 1, 1);
  result.decoded = seen.buffers.map((buffer) => [buffer.duration, buffer.numberOfChannels]);
  result.peaksAt = seen.buffers.map((buffer) => {
    const samples = buffer.getChannelData(0).map(Math.abs);
    return samples.indexOf(Math.max(...samples));
  });
  result.pictures = [...document.images].map((image) => [image.naturalWidth, image.naturalHeight]);
  key("2");
  await reached(0, 0, 1);
  key("2");
  find(".mute").click();
  await reached(0, 0, 1);
  find(".mute").click();
  key("0");
  await reached(1, 0, 0);
  key("0");
  find(".level").value = 50;
  find(".level").dispatchEvent(new Event("input"));
  await reached(0, 0.25, 1);
  key(" ");
  result.paused = !playing();
  find(".scale").focus();
  find(".scale").dispatchEvent(new KeyboardEvent("keydown", {key: "End", bubbles: true}));
  result.end = find(".now").textContent;
  find(".scale").dispatchEvent(new KeyboardEvent("keydown", {key: "Home", bubbles: true}));
  key(" ");
  await until(() => seen.starts.length === 6);
  await until(() => !playing());
  result.after = find(".now").textContent;
  result.starts = seen.starts;
};
listen().catch((error) => seen.errors.push(error.message)).then(() => {
  result.errors = seen.errors;
  fetch("/result", {method: "POST", body: JSON.stringify(result)});
});
"""


def _strike(at: int, level: float) -> NDArray[np.float64]:
    samples = np.zeros(round(RATE_HZ * SPAN_S))
    bell = level * scipy.signal.windows.hann(301)
    samples[at - 150 : at + 151] = bell
    return samples


@pytest.fixture
def page(tmp_path: Path) -> str:
    """A song of two stems that strike once each, the second louder; the first is mono."""
    vocals, drums = (_strike(at, level) for at, level in zip(STRIKES, (0.3, 0.6), strict=True))
    tracks = []
    for kind, samples in [("mix", vocals + drums), ("vocals", vocals), ("drums", drums)]:
        path = tmp_path / f"{kind}.wav"
        stereo = np.stack([samples, samples], axis=1)
        sf.write(path, samples if kind == "vocals" else stereo, RATE_HZ)
        tracks.append(ReportTrack(kind, path, SPAN_S))
    song = SongSection("Strikes", "lite", "cpu", "fp32", SPAN_S, 1.0, tracks[0], tuple(tracks[1:]))
    return render_report(Report("Report", (song,)))


@pytest.fixture
def result(page: str, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """What the listener saw. The page's own policy would forbid the listener, so it is lifted."""
    page, lifted = re.subn(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    page = page.replace("<body>", f"<body><script>{SPY}</script>")
    page = page.replace("</body>", f"<script>{LISTENER}</script></body>")
    assert lifted == 1
    results: queue.Queue[dict[str, Any]] = queue.Queue()
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = page.encode() if self.path == "/" else b""
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            results.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = _browse(f"http://127.0.0.1:{server.server_port}/", tmp_path / "profile")
        try:
            yield results.get(timeout=180) | {"asked": asked}
        finally:
            os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()
            server.shutdown()


def _browse(url: str, profile: Path) -> subprocess.Popen[bytes]:
    assert CHROMIUM
    options = "headless no-sandbox disable-gpu disable-quic no-first-run disable-sync"
    options += " disable-background-networking disable-component-update"
    options += " remote-debugging-port=0 autoplay-policy=no-user-gesture-required"
    command = [CHROMIUM, *(f"--{option}" for option in options.split())]
    return subprocess.Popen(
        [*command, f"--user-data-dir={profile}", url],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_a_listener_can_play_mute_solo_and_seek(result: dict[str, Any]) -> None:
    assert result["errors"] == []
    assert result["asked"] == ["/"]
    assert result["decoded"] == [[SPAN_S, 2], [SPAN_S, 1], [SPAN_S, 2]]
    assert np.abs(np.subtract(result["peaksAt"], [STRIKES[1], *STRIKES])).max() <= 2
    assert len(result["pictures"]) == 3
    assert all(width > 0 and height > 0 for width, height in result["pictures"])
    assert len({tuple(when) for when in result["starts"][:3]}) == 1
    assert result["paused"]
    assert result["end"] == "0:02.5"
    assert result["after"] == "0:00.0"
