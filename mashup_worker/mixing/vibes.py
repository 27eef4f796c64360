"""What the vibes sound like: one table, from calm (intensity 0) to full on (intensity 1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mashup_worker.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

Transition = Literal["crossfade", "bass_swap", "filter_sweep", "cut"]
TRANSITIONS: tuple[Transition, ...] = ("crossfade", "bass_swap", "filter_sweep", "cut")


@dataclass(frozen=True)
class Span:
    """A figure that grows or falls with the intensity."""

    calm: float
    intense: float

    def at(self, intensity: float) -> float:
        """The figure at an intensity of 0 to 1."""
        return self.calm + (self.intense - self.calm) * intensity


@dataclass(frozen=True)
class Vibe:
    """How a mashup is arranged, mixed and mastered.

    Attributes:
        transition: how one song gives way to the next, unless asked otherwise.
        transition_bars: bars that two songs share.
        intro_bars: bars before the voice.
        break_every_phrases: after so many sung phrases the voice rests for one; 0 for never.
        density: share of the other instruments' phrases that play in the intro and the breaks.
        thin_order: which instruments stay where only a share plays, first to last.
        opening_low_pass_hz: where the filter that opens over the intro begins; 20 kHz for none.
        tone_low_pass_hz: what lies above is softened all through; 20 kHz for nothing.
        vocal_lift_lu: how far the voice lies above what accompanies it.
        pocket_db: how far instruments make room at 2 to 5 kHz while the voice sings.
        duck_db: how far the kick pushes the bass down.
        bus_ratio: ratio of the compressor on the sum.
        bus_reduction_db: how much that compressor takes off the loud parts.
        loudness_lufs: integrated loudness of the result.
    """

    transition: Transition
    transition_bars: int
    intro_bars: Span
    break_every_phrases: Span
    density: Span
    thin_order: tuple[str, ...]
    opening_low_pass_hz: Span
    tone_low_pass_hz: Span
    vocal_lift_lu: Span
    pocket_db: Span
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
        pocket_db=Span(2.0, 3.5),
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
        pocket_db=Span(2.0, 2.5),
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
        pocket_db=Span(2.0, 2.5),
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
        pocket_db=Span(3.0, 4.0),
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
        pocket_db=Span(2.0, 2.0),
        duck_db=Span(1.0, 1.0),
        bus_ratio=1.5,
        bus_reduction_db=Span(0.5, 1.5),
        loudness_lufs=Span(-18.0, -15.0),
    ),
}
"""Every vibe by name."""


def find_vibe(name: str) -> Vibe:
    """The vibe of this name.

    Raises:
        InvalidInput: there is none.
    """
    vibe = VIBES.get(name)
    if vibe is None:
        raise InvalidInput(f"unknown vibe {name!r}: one of {', '.join(VIBES)}")
    return vibe
