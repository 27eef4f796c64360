"""Refinement of bars by the attacks of stems."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mashup_worker.audio.signal import Audio
from mashup_worker.mixing.grid import FixedTempoGrid
from mashup_worker.mixing.planning.grid_refinement import refine_grid
from mashup_worker.mixing.song import LoudnessEnvelope, SongStem
from tests.unit import music

STOP_S = 80.0


def drums(*stretches: tuple[float, float, int]) -> dict[str, SongStem]:
    """Return drums with beats from a time, at a tempo, so many."""
    beats_s = np.concatenate([start + np.arange(n) * 60 / bpm for start, bpm, n in stretches])
    audio = Audio(music.drums(beats_s, 4, STOP_S)[None], music.RATE_HZ)
    envelope = LoudnessEnvelope.of(audio)
    stem = SongStem(kind="drums", path=Path("d"), sha256="", audio=audio, envelope=envelope)
    return {"drums": stem}


def test_tempo_and_first_bar_are_those_of_the_attacks() -> None:
    got = refine_grid(FixedTempoGrid(140.02, 4, 0.51), drums((0.5, 140.0, 180)))
    assert isinstance(got, FixedTempoGrid)
    assert got.tempo_bpm == pytest.approx(140, abs=0.005)
    assert got.first_downbeat_s == pytest.approx(0.5, abs=0.002)


@pytest.mark.parametrize("other_bpm", [110.0, 139.9])
def test_other_stretches_of_a_song_do_not_move_a_grid(other_bpm: float) -> None:
    """More than half of the beats of the song lie outside of the stretch."""
    stems = drums((0.5, other_bpm, 80), (48.0, 140.0, 70))
    got = refine_grid(FixedTempoGrid(140.02, 4, 48.01, 78.0), stems)
    assert isinstance(got, FixedTempoGrid)
    assert got.tempo_bpm == pytest.approx(140, abs=0.01)
    assert got.first_downbeat_s == pytest.approx(48, abs=0.002)
    assert got.stop_s == 78
