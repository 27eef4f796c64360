"""Validation of requests for mashups."""

from __future__ import annotations

import pytest

from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.request import MixRequest


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"vibe": "polka"}, "vibe 'polka'.*club"),
        ({"intensity": 1.5}, "intensity 1.5"),
        ({"transition": "wipe"}, "transition 'wipe'.*crossfade"),
        ({"engine": "tape"}, "engine 'tape'.*auto"),
        ({"tempo_bpm": 5.0}, "tempo 5 BPM"),
        ({"length_s": 1.0}, "length 1 s"),
        ({"length_s": 1e9}, "length"),
        ({"loudness_lufs": 0.0}, "loudness 0 LUFS"),
        ({"loudness_lufs": float("nan")}, "loudness nan LUFS"),
        ({"true_peak_dbtp": 1.0}, "true peak 1 dBTP"),
        ({"seed": -1}, "seed -1"),
    ],
)
def test_an_invalid_value_is_named(changes: dict[str, object], named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        MixRequest(**changes)  # type: ignore[arg-type]
