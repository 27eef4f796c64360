"""The table of vibes."""

from __future__ import annotations

from typing import get_args

import pytest

from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.vibes import VIBES, VibeName, find_vibe


def test_every_name_has_settings_and_the_reverse() -> None:
    assert get_args(VibeName) == tuple(VIBES)


@pytest.mark.parametrize("name", VIBES)
@pytest.mark.parametrize("intensity", [0.0, 0.5, 1.0])
def test_settings_stay_within_safe_ranges(name: str, intensity: float) -> None:
    vibe = find_vibe(name)
    assert -24 <= vibe.loudness_lufs.at(intensity) <= -7
    assert 0 <= vibe.density.at(intensity) <= 1
    assert -1 <= vibe.vocal_lift_lu.at(intensity) <= 5
    assert 0 <= vibe.duck_db.at(intensity) <= 3
    assert 2 <= vibe.vocal_dip_db.at(intensity) <= 4


def test_an_unknown_vibe_is_refused_with_the_known_names() -> None:
    with pytest.raises(InvalidInput, match=r"'polka'.*club, chill"):
        find_vibe("polka")
