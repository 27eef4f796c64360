from __future__ import annotations

import pytest
import torch

from mashup_worker.analysis.form.result import SingingInterval
from mashup_worker.analysis.form.singing import find_singing, singing_share
from tests.unit.analysis.form.songs import silence, tone


def test_singing_is_where_the_vocals_sound() -> None:
    vocals = torch.cat([silence(3), tone(400, 4), silence(2), tone(300, 1), silence(3)])
    first, second = find_singing(vocals, vocals + tone(1000, 13, 0.1))
    assert (first.start_s, first.stop_s) == pytest.approx((3, 7), abs=0.1)
    assert (second.start_s, second.stop_s) == pytest.approx((9, 10), abs=0.1)
    assert first.confidence == 1


def test_short_pauses_belong_to_the_singing_and_clicks_do_not() -> None:
    vocals = torch.cat([silence(1), tone(400, 2), silence(0.3), tone(400, 2), silence(4)])
    vocals[8 * 22_050 : 8 * 22_050 + 200] = 0.5
    (only,) = find_singing(vocals, vocals)
    assert (only.start_s, only.stop_s) == pytest.approx((1, 5.3), abs=0.1)


def test_what_leaks_into_the_stem_is_no_singing() -> None:
    band = tone(700, 10, 0.5)
    sung = torch.cat([silence(4), tone(400, 2), silence(4)])
    (only,) = find_singing(sung + 0.01 * band, sung + band)
    assert (only.start_s, only.stop_s) == pytest.approx((4, 6), abs=0.1)
    assert find_singing(0.001 * band, band) == ()


@pytest.mark.parametrize("samples", [0, 1, 2_000, 66_150])
def test_silence_has_no_singing(samples: int) -> None:
    assert find_singing(torch.zeros(samples), torch.zeros(samples)) == ()


def test_the_level_does_not_matter() -> None:
    vocals = torch.cat([silence(2), tone(400, 3), silence(2)])
    loud, quiet = (find_singing(gain * vocals, gain * vocals) for gain in (3.0, 0.01))
    assert [(one.start_s, one.stop_s) for one in loud] == [
        (one.start_s, one.stop_s) for one in quiet
    ]


def test_shares_of_a_time_are_sung() -> None:
    singing = (SingingInterval(1, 2, 1), SingingInterval(3, 6, 1))
    assert singing_share(singing, 0, 4) == 0.5
    assert singing_share(singing, 4, 5) == 1
    assert singing_share((), 4, 4) == 0
