"""Corrections of analyses against naive references."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mashup_worker.analysis.correction import Correction, corrected, corrected_document
from mashup_worker.analysis.document import read_analysis
from mashup_worker.analysis.result import Analysis, KeyCandidate, TempoStretch
from mashup_worker.errors import InvalidInput


def song(first: int = 1, bar: int = 4, beats: int = 33, drift_s: float = 0.0) -> Analysis:
    """A song at 120 BPM whose first downbeat is the beat `first`."""
    rng = np.random.default_rng(beats)
    times = 0.3 + 0.5 * np.arange(beats) + drift_s * rng.uniform(-1, 1, beats)
    return Analysis(
        duration_s=20.0,
        tempo_bpm=120.0,
        tempo_confidence=0.4,
        beat_confidence=0.4,
        bar_confidence=0.3,
        tempo_stable=not drift_s,
        beats_s=tuple(times.tolist()),
        downbeats_s=tuple(times[first::bar].tolist()),
        beats_per_bar=bar,
        time_signature=f"{bar}/4",
        tempo_stretches=(TempoStretch(times[0], times[-1], 120.0, bar),),
        key="A minor",
        camelot="8A",
        key_confidence=0.2,
        key_candidates=(KeyCandidate("A minor", "8A", 0.5),),
    )


def naive(analysis: Analysis, first: int, correction: Correction) -> tuple[Any, Any]:
    """Beats as a function of their number: every half or second one, bars by their remainder."""
    bar, beats = analysis.beats_per_bar or 4, np.array(analysis.beats_s)
    step = 1 / correction.tempo_factor
    whole, half = divmod(correction.downbeat_shift, 1)
    start = first % step
    numbers = np.arange(start, len(beats) - 1 + 1e-9, step)
    times = np.interp(numbers, np.arange(len(beats)), beats)
    if half:
        times, numbers = (times[1:] + times[:-1]) / 2, numbers[:-1]
    counted = np.round((numbers - first) / step).astype(int) - int(whole)
    return times, times[counted % bar == 0]


@pytest.mark.parametrize("drift_s", [0.0, 0.05])
@pytest.mark.parametrize("shift", [0, 0.5, 1, -1, -1.5, 3, 5, -9])
@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("bar", [2, 3, 4, 5])
def test_beats_and_bars_equal_the_naive_ones(
    bar: int, factor: float, shift: float, drift_s: float
) -> None:
    for first in range(bar):
        analysis = song(first, bar, drift_s=drift_s)
        correction = Correction(tempo_factor=factor, downbeat_shift=shift)
        found = corrected(analysis, correction)
        beats, downbeats = naive(analysis, first, correction)
        np.testing.assert_allclose(found.beats_s, beats, rtol=0, atol=1e-12)
        np.testing.assert_allclose(found.downbeats_s, downbeats, rtol=0, atol=1e-12)
        assert found.tempo_bpm == 120 * factor
        assert set(found.downbeats_s) <= set(found.beats_s)
        (stretch,) = found.tempo_stretches
        assert (stretch.start_s, stretch.stop_s) == (found.beats_s[0], found.beats_s[-1])
        assert stretch.tempo_bpm == 120 * factor
        assert (found.beats_per_bar, found.tempo_stable) == (bar, analysis.tempo_stable)


def test_half_of_twice_is_the_same() -> None:
    analysis = song(3)
    twice = corrected(analysis, Correction(tempo_factor=2.0))
    assert corrected(twice, Correction(tempo_factor=0.5)).beats_s == analysis.beats_s


def test_no_correction_changes_nothing() -> None:
    analysis = replace(song(), downbeats_s=song().downbeats_s[3:])  # bars are found late
    assert corrected(analysis, Correction()) == analysis
    assert corrected(analysis, Correction(downbeat_shift=8)) == analysis


def test_parts_with_a_tempo_of_their_own_keep_their_phases() -> None:
    """The beats jump by a third of a beat at 10 s, and the bars with them."""
    first, later = 0.2 + 0.5 * np.arange(20), 10.37 + 0.5 * np.arange(21)
    analysis = replace(
        song(),
        beats_s=(*first, *later),
        downbeats_s=(*first[1::4], *later[2::4]),
        tempo_stretches=(
            TempoStretch(first[0], first[-1], 120.0, 4),
            TempoStretch(later[0], later[-1], 120.0, 4),
        ),
    )
    found = corrected(analysis, Correction(tempo_factor=0.5))
    np.testing.assert_allclose(found.beats_s, [*first[1::2], *later[::2]])
    np.testing.assert_allclose(found.downbeats_s, [*first[1::8], *later[2::8]])
    assert [one.start_s for one in found.tempo_stretches] == [first[1], later[0]]
    assert [one.stop_s for one in found.tempo_stretches] == [first[-1], later[-1]]
    twice = corrected(analysis, Correction(tempo_factor=2.0, downbeat_shift=1))
    assert len(twice.beats_s) == 39 + 41  # none between the parts
    np.testing.assert_allclose(twice.downbeats_s[0], first[1] + 0.25)
    assert later[0] + 0.25 in twice.downbeats_s


def test_a_key_replaces_the_one_found() -> None:
    found = corrected(song(), Correction(key="Eb major"))
    assert (found.key, found.camelot, found.key_confidence) == ("Eb major", "5B", 1.0)
    assert found.beats_s == song().beats_s
    assert found.key_candidates == song().key_candidates


def test_what_the_listener_set_is_sure() -> None:
    sure = corrected(song(), Correction(tempo_factor=2.0))
    assert (sure.tempo_confidence, sure.beat_confidence, sure.key_confidence) == (1.0, 1.0, 0.2)
    shifted = corrected(song(), Correction(downbeat_shift=1))
    assert (shifted.tempo_confidence, shifted.beat_confidence) == (0.4, 0.4)
    between = corrected(song(), Correction(downbeat_shift=0.5))
    assert (between.tempo_confidence, between.beat_confidence) == (0.4, 1.0)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_songs_without_beats_or_bars_can_be_corrected(factor: float) -> None:
    change = Correction(tempo_factor=factor, downbeat_shift=1, key="C major")
    nothing = corrected(Analysis(duration_s=3.0), change)
    assert nothing == replace(
        Analysis(duration_s=3.0), key="C major", camelot="8B", key_confidence=1.0
    )
    no_bars = replace(song(), downbeats_s=(), beats_per_bar=None, tempo_stretches=())
    found = corrected(no_bars, change)
    assert found.downbeats_s == ()
    assert len(found.beats_s) == (65 if factor == 2 else 17)
    one = corrected(replace(no_bars, beats_s=(1.0,)), change)
    assert one.beats_s == (1.0,)


def test_documents_of_jobs_are_corrected() -> None:
    document = song().as_dict() | {"another": ["kept"]}
    found = corrected_document(document, Correction(tempo_factor=2.0, key="C major"))
    assert found["another"] == ["kept"]
    assert (found["tempo_bpm"], found["key"], found["camelot"]) == (240.0, "C major", "8B")
    assert len(found["beats_s"]) == 65
    assert read_analysis(found) is not None
    assert corrected_document({"beats_s": "x"}, Correction(key="C major")) == {"beats_s": "x"}
    assert read_analysis(None) is None


@pytest.mark.parametrize("wrong", [{"tempo_factor": 3.0}, {"key": "H minor"}])
def test_invalid_corrections_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="choose"):
        Correction(**wrong)
