"""Analyses in words: figures where they are known, and columns that stay where they are."""

from __future__ import annotations

import pytest

from mashup_worker.analysis.result import Analysis, KeyCandidate, TempoCandidate
from mashup_worker.commands.analyze.text import ROW_WIDTH, block, line, row

SONG = Analysis(
    187.2,
    tempo_bpm=123.996,
    tempo_confidence=0.97,
    tempo_candidates=(TempoCandidate(123.996, 0.7), TempoCandidate(62.0, 0.3)),
    tempo_stable=True,
    beats_s=(0.0, 0.5, 1.0),
    downbeats_s=(0.0,),
    beats_per_bar=4,
    time_signature="4/4",
    key="A minor",
    camelot="8A",
    key_confidence=0.71,
    key_candidates=(KeyCandidate("A minor", "8A", 0.5),),
    key_profile="temperley",
    tuning_cents=-3.2,
    loudness_lufs=-13.14,
    loudness_range_lu=4.4,
    true_peak_dbtp=-1.0,
).as_dict()
SILENCE = Analysis(10.0).as_dict()
DRIFTING = {**SONG, "tempo_stable": False, "key": "D# minor", "camelot": "12A", "duration_s": 3700}


def test_a_line_needs_no_header() -> None:
    assert line("song.mp3", SONG).plain == (
        "song.mp3: 124.00 BPM (97%), 4/4, A minor 8A (71%), -13.1 LUFS, range 4.4 LU, "
        "true peak -1.0 dBTP, 3:07"
    )
    assert line("x", SILENCE).plain == "x: no tempo, no key, no loudness, 0:10"
    assert "~124.0 BPM varies (97%)" in line("x", DRIFTING).plain


def test_rows_line_up() -> None:
    songs = {"a.mp3": SONG, "b/" * 20 + "c.mp3": DRIFTING, "silence.wav": SILENCE}
    rows = [row(name, song, "", 20).plain for name, song in songs.items()]
    assert {len(text) for text in rows} == {20 + ROW_WIDTH}
    assert rows[1][:20].strip().endswith("b/c.mp3")
    assert rows[0].index("4/4") == rows[1].index("4/4")
    assert rows[0].index("LUFS") == rows[1].index("LUFS")


@pytest.mark.parametrize("analysis", [SONG, DRIFTING, SILENCE])
def test_a_block_says_more_when_verbose(analysis: dict[str, object]) -> None:
    short, long = (block("song", analysis, verbose=verbose).plain for verbose in (False, True))
    assert long.startswith(short)
    assert len(short.splitlines()) == 4
    assert "None" not in long


def test_sections_have_a_line_and_chords_one_when_verbose() -> None:
    form = {
        **SONG,
        "sections": [
            {"start_s": 0.0, "label": "A", "role": "intro"},
            {"start_s": 64.2, "label": "B", "role": None},
        ],
        "chords": [{"label": "A:min"}] * 17,
        "cue_points": [{"time_s": 64.2, "kind": "mix in"}],
        "singing": [{"start_s": 1.0, "stop_s": 11.0}],
        "singing_known": True,
    }
    short, long = (block("song", form, verbose=verbose).plain for verbose in (False, True))
    assert short.splitlines()[-1].split() == ["sections", "0:00", "A", "intro,", "1:04", "B"]
    for text in ("A:min, …", "1:04 mix in", "10 s"):
        assert text in long
        assert text not in short


def test_a_verbose_block_names_candidates_profile_and_tuning() -> None:
    words = block("song", SONG, verbose=True).plain
    for word in ("62.00 (0.30)", "A minor 8A (0.50)", "temperley", "-3 cents", "3 beats, 1 bars"):
        assert word in words
