"""Agreement of analyses with references."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.agreement import (
    Pulse,
    Recording,
    agreed_key,
    agreed_pulse,
    agreed_tempo,
    confidence_rows,
    difference_rows,
    half_off,
    key_rows,
    pulse_rows,
    tempo_of,
)

BEATS = np.asarray(0.3 + 0.5 * np.arange(120), dtype=np.float64)
OURS: dict[str, Any] = {
    "tempo_bpm": 120.0,
    "beats_s": list(BEATS),
    "key": "C# minor",
    "tempo_confidence": 0.9,
    "beat_confidence": 0.6,
    "key_confidence": 1.0,
}


def recording(*beats: Any, keys: tuple[str, ...] = (), **ours: Any) -> Recording:
    pulses = {f"library {index}": Pulse.of(one) for index, one in enumerate(beats)}
    named = {f"profile {index}": key for index, key in enumerate(keys)}
    return Recording("song.ogg", OURS | ours, pulses, named)


def test_a_tempo_comes_from_beats_without_gaps() -> None:
    beats = np.delete(BEATS, range(40, 60))
    assert tempo_of(beats) == pytest.approx(120)
    assert tempo_of(beats[:1]) == 0


def test_tempi_agree_by_majority_within_one_percent() -> None:
    near, half, other = (Pulse.of(BEATS * factor) for factor in (1.005, 2.0, 1.3))
    assert agreed_tempo([Pulse.of(BEATS), near, half]) == pytest.approx(120, rel=0.01)
    assert agreed_tempo([Pulse.of(BEATS), half, other]) is None
    assert agreed_tempo([]) is None
    assert agreed_tempo([Pulse.of([]), Pulse.of([])]) is None


def test_beats_agree_where_two_references_have_the_same() -> None:
    late, between = Pulse.of(BEATS + 0.03), Pulse.of(BEATS + 0.25)
    assert agreed_pulse([between, Pulse.of(BEATS), late]) not in (None, between)
    assert agreed_pulse([Pulse.of(BEATS), between]) is None
    assert agreed_pulse([late]) is None
    assert agreed_pulse([late, Pulse.of([])]) is None


@pytest.mark.parametrize(
    ("own", "off"),
    [
        (BEATS, False),
        (BEATS + 0.03, False),
        (BEATS + 0.25, True),
        (BEATS[::2] + 0.22, True),
        (BEATS[1::2], False),
        (np.arange(0.3, 60, 0.25), False),
        (BEATS[:0], False),
    ],
    ids=["same", "late", "off", "off at half tempo", "half tempo", "double tempo", "none"],
)
def test_half_a_beat_off(own: Any, off: bool) -> None:
    assert half_off(own, BEATS) is off
    assert not half_off(own, BEATS[:1])


def test_keys_agree_by_majority_in_any_spelling() -> None:
    assert agreed_key(["C# minor", "Db minor", "E major"]) == "C# minor"
    assert agreed_key(["C# minor", "E major"]) is None
    assert agreed_key([]) is None


def test_tables_of_a_recording_on_which_all_agree() -> None:
    found = [recording(BEATS, BEATS + 0.01, keys=("Db minor", "C# minor"))]
    ours = [row for row in pulse_rows(found) if row[0] == "mashup_worker"]
    assert [row[1] for row in ours] == ["agreed tempo", "agreed beats", "library 0", "library 1"]
    assert all(row[2:5] == ["1", "100.0 %", "100.0 %"] for row in ours)
    assert all(row[5:] == ["1.000", "0"] for row in ours[1:])
    assert [row[2:] for row in key_rows(found)] == [["100.0 %", "1.000"]] * 3
    assert [row[1] for row in confidence_rows(found)] == [
        "- of 0",
        "- of 0",
        "100.0 % of 1",
        "- of 0",
    ]
    assert [row[2] for row in confidence_rows(found)] == [
        "- of 0",
        "100.0 % of 1",
        "- of 0",
        "- of 0",
    ]
    assert [row[4] for row in confidence_rows(found)] == [
        "- of 0",
        "- of 0",
        "- of 0",
        "100.0 % of 1",
    ]
    assert difference_rows(found) == []


def test_tables_of_a_recording_with_another_level_phase_and_key() -> None:
    twice = {"tempo_bpm": 60.0, "beats_s": list(BEATS[::2] + 0.25), "key": "E major"}
    found = [recording(BEATS, BEATS, keys=("C# minor", "C# minor"), **twice)]
    assert pulse_rows(found)[0][3:5] == ["0.0 %", "100.0 %"]
    assert pulse_rows(found)[1][6] == "1"
    assert key_rows(found)[0] == ["agreed key", "1", "0.0 %", "0.300"]
    assert [row[1] for row in difference_rows(found)] == ["tempo times 0.5, half a beat off, key"]


def test_references_that_disagree_are_left_out() -> None:
    found = [recording(BEATS, BEATS * 1.3, keys=("C# minor", "A minor"))]
    assert [row[2] for row in pulse_rows(found)[:2]] == ["0", "0"]
    assert key_rows(found)[0][1] == "0"
    assert difference_rows(found) == []
