"""`mashup find` as installed, in a library that `mashup reprocess` made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

if TYPE_CHECKING:
    from tests.e2e.command import Mashup

SAMPLES = Path(__file__).parents[2] / "samples"
BAR_S = 4 * 60 / 92
DRUM_BARS = 8


@pytest.fixture(scope="module")
def library(mashup: Mashup) -> Mashup:
    """A library of two songs: one with an intro of drums alone at 92 BPM, one in 8A at 124 BPM."""
    drums, rate = soundfile.read(SAMPLES / "slow-it-down" / "drums.ogg")
    mix, _ = soundfile.read(SAMPLES / "slow-it-down" / "mix.flac")
    first, last = (round(bar * BAR_S * rate) for bar in (4, 4 + DRUM_BARS))
    mashup.song("seeds/slow.flac", 0.5 * np.concatenate([drums[first:last], mix]), rate)
    other, rate = soundfile.read(SAMPLES / "hold-on-to-the-light" / "mix.flac")
    mashup.song("seeds/hold.flac", 0.5 * other, rate)
    made = mashup.run("reprocess", "seeds", "--to", "library", "--model", "lite")
    assert made.returncode == 0, made.stderr
    return mashup


def found(library: Mashup, query: str, *options: str) -> list[dict[str, Any]]:
    done = library.run("find", "library", query, *options, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert (document["songs"], document["outdated"], document["unknown"]) == (2, [], [])
    passages: list[dict[str, Any]] = document["found"]
    return passages


def test_drums_alone_are_found_by_bars_and_tempo(library: Mashup) -> None:
    (intro,) = found(library, "drums alone for 4 bars at 85-100 BPM")
    assert intro["title"] == "slow"
    assert intro["tempo_bpm"] == pytest.approx(92, abs=0.05)
    assert intro["bars"] >= 4
    assert intro["stop_s"] <= DRUM_BARS * BAR_S + 0.1
    assert found(library, "drums alone for 4 bars at 100-140 BPM") == []


def test_vocals_are_found_by_key_or_next_to_it(library: Mashup) -> None:
    sung = found(library, "vocals in 9A or next to it")
    assert {(one["title"], one["camelot"]) for one in sung} == {("hold", "8A")}
    assert all(7.0 <= one["start_s"] < one["stop_s"] <= 31.0 for one in sung)
    assert found(library, "vocals in 8A") == sung
    assert found(library, "vocals in 9A") == []


def test_loops_without_voice_are_found(library: Mashup) -> None:
    (loop,) = found(library, "loops without voice", "--limit", "1")
    assert loop["title"] == "slow"
    length_s = loop["stop_s"] - loop["start_s"]
    assert length_s == pytest.approx(loop["bars"] * BAR_S, abs=0.02)
    assert loop["stop_s"] < DRUM_BARS * BAR_S + 4 * BAR_S  # the voice enters after four bars


def test_a_table_and_a_playlist_name_the_passages(library: Mashup) -> None:
    done = library.run("find", "library", "vocals in 8A", "--play-list", "sung.m3u8")
    assert done.returncode == 0, done.stderr
    assert "hold" in done.stdout
    assert "in 1 of 2 songs" in done.stdout
    lines = (library.folder / "sung.m3u8").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "#EXTM3U"
    starts = [line.rpartition("=")[2] for line in lines if "start-time" in line]
    passages = found(library, "vocals in 8A")
    assert starts == [f"{one['start_s']:.3f}" for one in passages]
    files = [library.folder / line for line in lines if not line.startswith("#")]
    assert files == [library.folder / "library" / one["stems"]["vocals"] for one in passages]
    assert all(path.is_file() for path in files)
