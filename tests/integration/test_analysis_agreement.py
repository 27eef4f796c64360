"""One song has one rhythm and one key, whatever file, excerpt or stems it is analyzed from."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks.analysis import sample_songs
from mashup_worker.audio.decode import decode
from mashup_worker.audio.signal import Audio
from mashup_worker.pipelines.analysis.analyze import analyze_audio, analyze_stems
from synth import bandstand, jukebox

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mashup_worker.analysis.result import Analysis
    from synth.song import Song

NAMES = ["sample", "bandstand", "jukebox"]
NEAR_S = 0.025
BEATS_SHARE, BARS_SHARE = 0.95, 0.9


@pytest.fixture(scope="module")
def songs() -> dict[str, Song]:
    sample = next(islice(sample_songs(), 1))
    made = [sample, bandstand.generate(503), jukebox.generate(502)]
    return dict(zip(NAMES, made, strict=True))


@pytest.fixture(scope="module")
def expected(songs: dict[str, Song]) -> dict[str, Analysis]:
    return {name: analyze_audio(song.mix).analysis for name, song in songs.items()}


def share_found(times_s: Sequence[float], others_s: Sequence[float]) -> float:
    """Return the share of the times near which one of the others lies."""
    others = np.asarray(others_s)
    return float(np.mean([np.abs(others - time_s).min() < NEAR_S for time_s in times_s]))


def assert_agrees(got: Analysis, expected: Analysis, start_s: float = 0.0) -> None:
    """Assert the same tempo, beats, bars and key; `got` begins at `start_s` of the song."""
    assert got.tempo_bpm == pytest.approx(expected.tempo_bpm, rel=0.002)
    assert got.beats_per_bar == expected.beats_per_bar
    # An excerpt begins and ends on other chords than its song, which is evidence for the key.
    likely = [one.key for one in got.key_candidates[: 2 if start_s else 1]]
    assert expected.key in likely
    for times_s, others_s, share in (
        (got.beats_s, expected.beats_s, BEATS_SHARE),
        (got.downbeats_s, expected.downbeats_s, BARS_SHARE),
    ):
        moved = [time_s + start_s for time_s in times_s]
        inside = [time_s for time_s in others_s if moved[0] - 0.1 < time_s < moved[-1] + 0.1]
        assert share_found(moved, others_s) >= share
        assert share_found(inside, moved) >= share


@pytest.mark.parametrize("audio_format", ["flac", "mp3", "ogg"])
@pytest.mark.parametrize("name", NAMES)
def test_files_of_any_format_agree(
    songs: dict[str, Song],
    expected: dict[str, Analysis],
    name: str,
    audio_format: str,
    tmp_path: Path,
) -> None:
    path = tmp_path / f"song.{audio_format}"
    songs[name].mix.save(path)
    assert_agrees(analyze_audio(decode(path)).analysis, expected[name])


@pytest.mark.parametrize("name", NAMES)
def test_an_excerpt_agrees(
    songs: dict[str, Song], expected: dict[str, Analysis], name: str
) -> None:
    mix = songs[name].mix
    first, stop = (round(share * mix.samples.shape[1]) for share in (0.2, 0.9))
    excerpt = Audio(mix.samples[:, first:stop], mix.sample_rate)
    got = analyze_audio(excerpt).analysis
    assert_agrees(got, expected[name], first / mix.sample_rate)


@pytest.mark.parametrize("name", NAMES)
def test_stems_agree_with_their_mix(
    songs: dict[str, Song], expected: dict[str, Analysis], name: str
) -> None:
    assert_agrees(analyze_stems(songs[name].stems).analysis, expected[name])
