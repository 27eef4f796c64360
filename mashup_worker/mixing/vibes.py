"""Vibes: one table of how each arranges, mixes and masters, from calm to intense."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mashup_worker.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mashup_worker.vocabulary import TransitionName

VibeName = Literal["club", "chill", "lofi", "hype", "ambient"]
"""Names of the vibes; a new one gets a name here and a row in `VIBES`."""


@dataclass(frozen=True)
class Span:
    """Value that depends linearly on the intensity, from calm at 0 to intense at 1."""

    calm: float
    intense: float

    def at(self, intensity: float) -> float:
        """Return the value at an intensity from 0 to 1."""
        return self.calm + (self.intense - self.calm) * intensity


@dataclass(frozen=True, kw_only=True)
class Vibe:
    """Settings of a vibe for arrangement, mix and master.

    Attributes:
        transition_bars: bars that two songs share in a transition.
        intro_bars: bars before the vocals enter.
        break_every_phrases: sung phrases between two breaks of one phrase; 0 for no breaks.
        density: share of the instruments that play in the intro and in breaks.
        thin_order: order in which instruments are chosen where only a share plays.
        opening_low_pass_hz: cutoff of the filter that opens in the intro, first; 20 kHz for none.
        tone_low_pass_hz: cutoff of the low-pass filter on the sum; 20 kHz for no filter.
        vocal_lift_lu: loudness of vocals above their accompaniment.
        vocal_dip_db: attenuation of instruments at 2 to 5 kHz while vocals sing.
        duck_db: attenuation of the bass while a kick sounds.
        bus_reduction_db: gain reduction of the bus compressor in loud passages.
    """

    transition: TransitionName
    transition_bars: int
    intro_bars: Span
    break_every_phrases: Span
    density: Span
    thin_order: tuple[str, ...]
    opening_low_pass_hz: Span
    tone_low_pass_hz: Span
    vocal_lift_lu: Span
    vocal_dip_db: Span
    duck_db: Span
    bus_ratio: float
    bus_reduction_db: Span
    loudness_lufs: Span


VIBES: Mapping[str, Vibe] = {
    "club": Vibe(
        transition="bass_swap",
        transition_bars=4,
        intro_bars=Span(8, 4),
        break_every_phrases=Span(2, 4),
        density=Span(0.5, 1.0),
        thin_order=("drums", "other", "bass"),
        opening_low_pass_hz=Span(600, 250),
        tone_low_pass_hz=Span(20_000, 20_000),
        vocal_lift_lu=Span(1.5, 1.0),
        vocal_dip_db=Span(2.0, 3.5),
        duck_db=Span(1.5, 3.0),
        bus_ratio=2.0,
        bus_reduction_db=Span(1.5, 3.0),
        loudness_lufs=Span(-12.0, -9.0),
    ),
    "chill": Vibe(
        transition="crossfade",
        transition_bars=8,
        intro_bars=Span(8, 4),
        break_every_phrases=Span(1, 2),
        density=Span(0.5, 0.75),
        thin_order=("other", "drums", "bass"),
        opening_low_pass_hz=Span(2_000, 800),
        tone_low_pass_hz=Span(14_000, 18_000),
        vocal_lift_lu=Span(2.5, 2.0),
        vocal_dip_db=Span(2.0, 2.5),
        duck_db=Span(1.0, 1.5),
        bus_ratio=1.5,
        bus_reduction_db=Span(1.0, 2.0),
        loudness_lufs=Span(-16.0, -13.0),
    ),
    "lofi": Vibe(
        transition="filter_sweep",
        transition_bars=4,
        intro_bars=Span(4, 4),
        break_every_phrases=Span(1, 2),
        density=Span(0.5, 0.75),
        thin_order=("other", "drums", "bass"),
        opening_low_pass_hz=Span(1_500, 800),
        tone_low_pass_hz=Span(6_000, 9_000),
        vocal_lift_lu=Span(1.5, 1.0),
        vocal_dip_db=Span(2.0, 2.5),
        duck_db=Span(1.5, 2.5),
        bus_ratio=2.0,
        bus_reduction_db=Span(2.0, 3.0),
        loudness_lufs=Span(-16.0, -13.0),
    ),
    "hype": Vibe(
        transition="cut",
        transition_bars=1,
        intro_bars=Span(4, 2),
        break_every_phrases=Span(4, 0),
        density=Span(0.75, 1.0),
        thin_order=("drums", "other", "bass"),
        opening_low_pass_hz=Span(500, 200),
        tone_low_pass_hz=Span(20_000, 20_000),
        vocal_lift_lu=Span(1.5, 1.5),
        vocal_dip_db=Span(3.0, 4.0),
        duck_db=Span(2.0, 3.0),
        bus_ratio=2.0,
        bus_reduction_db=Span(2.0, 3.0),
        loudness_lufs=Span(-11.0, -8.5),
    ),
    "ambient": Vibe(
        transition="crossfade",
        transition_bars=8,
        intro_bars=Span(8, 8),
        break_every_phrases=Span(1, 1),
        density=Span(0.25, 0.5),
        thin_order=("other", "bass", "drums"),
        opening_low_pass_hz=Span(1_200, 1_000),
        tone_low_pass_hz=Span(10_000, 14_000),
        vocal_lift_lu=Span(3.0, 2.5),
        vocal_dip_db=Span(2.0, 2.0),
        duck_db=Span(1.0, 1.0),
        bus_ratio=1.5,
        bus_reduction_db=Span(0.5, 1.5),
        loudness_lufs=Span(-18.0, -15.0),
    ),
}
"""Settings of every vibe by its `VibeName`."""


def find_vibe(name: str) -> Vibe:
    """Return the settings of a vibe, or raise `InvalidInput` for an unknown name."""
    vibe = VIBES.get(name)
    if vibe is None:
        raise InvalidInput(f"vibe {name!r}: unknown; use one of {', '.join(VIBES)}")
    return vibe
