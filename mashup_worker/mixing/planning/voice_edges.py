"""Where clips of a voice begin and end: in its pauses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.mixing.song import LoudnessEnvelope

if TYPE_CHECKING:
    from mashup_worker.analysis.form.result import SingingInterval
    from mashup_worker.mixing.song import MixSong

_INWARD_BARS = 0.5
"""How far a clip may be shortened to end in a breath."""

_MARGIN_S = 0.03
_BREATH_BELOW_LOUD_DB = -20.0


@dataclass(frozen=True)
class VoiceEdge:
    """Edge of a clip of a voice.

    Attributes:
        beyond_bars: bars of the song by which the clip is longer here; negative where shorter.
        is_cut: whether the voice sounds there.
    """

    beyond_bars: float
    is_cut: bool = False


_AT_BORDER = VoiceEdge(0.0)


def voice_edge(
    song: MixSong, kind: str, bar: float, direction: int, reach_bars: float
) -> VoiceEdge:
    """Return where a clip that should end (1) or begin (-1) at a bar of the song does so.

    A note that is sung across the bar is kept whole if it ends within reach. Otherwise the clip
    ends in the deepest breath between half a bar before and the end of the reach.
    """
    border_s = song.grid.time_at(bar)
    across = _sung_across(song, border_s)
    if across is None:
        return _AT_BORDER
    whole_s = across.stop_s + _MARGIN_S if direction > 0 else across.start_s - _MARGIN_S
    beyond = direction * (song.grid.bar_at(whole_s) - bar)
    if beyond <= reach_bars:
        return VoiceEdge(round(beyond, 4))
    edges = sorted(
        song.grid.time_at(bar + direction * bars) for bars in (-_INWARD_BARS, reach_bars)
    )
    envelope = song.stems[kind].envelope
    breath_s, power = _quietest(envelope, edges[0], edges[1], border_s)
    sounds = power > envelope.loud_power * 10 ** (_BREATH_BELOW_LOUD_DB / 10)
    return VoiceEdge(round(direction * (song.grid.bar_at(breath_s) - bar), 4), is_cut=sounds)


def _sung_across(song: MixSong, time_s: float) -> SingingInterval | None:
    return next(
        (
            one
            for one in song.analysis.singing
            if one.start_s < time_s - _MARGIN_S and one.stop_s > time_s + _MARGIN_S
        ),
        None,
    )


def _quietest(
    envelope: LoudnessEnvelope, start_s: float, stop_s: float, near_s: float
) -> tuple[float, float]:
    """Return the time and power of the quietest step between two times, the nearest of several."""
    first, last = (LoudnessEnvelope.step_at(time_s) for time_s in (start_s, stop_s))
    powers = envelope.powers[first : max(first + 1, last)].tolist()
    if not powers:
        return near_s, 0.0
    times_s = [envelope.time_of(first + index) for index in range(len(powers))]
    best = min(range(len(powers)), key=lambda at: (powers[at], abs(times_s[at] - near_s)))
    return times_s[best], powers[best]
