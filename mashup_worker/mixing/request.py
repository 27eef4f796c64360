"""What a mashup is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mashup_worker.analysis.result import HIGHEST_TEMPO_BPM, LOWEST_TEMPO_BPM
from mashup_worker.dsp.stretch.choose import ENGINE_NAMES
from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.vibes import TRANSITIONS, Transition, Vibe, find_vibe

Form = Literal["layer", "sequence"]

SHORTEST_S = 4.0
LONGEST_S = 1_200.0
LOUDEST_LUFS, QUIETEST_LUFS = -5.0, -36.0


@dataclass(frozen=True)
class MixRequest:
    """How a mashup should be.

    Attributes:
        vibe: one of the table in `vibes`.
        intensity: 0 for calm to 1 for full on.
        transition: how one song gives way to the next; the vibe's own when None.
        tempo_bpm: tempo of the result; the first instruments' own when None.
        key: key of the result, such as `"A minor"`; whatever needs least shifting when None.
        length_s: about how long it should be; as long as there is voice when None.
        loudness_lufs: integrated loudness of the result; the vibe's own when None.
        true_peak_dbtp: highest true peak of the result.
        seed: what chance decides by.
        engine: what stretches; `auto` chooses by kind of stem.
        forced: take songs beyond the limits of stretching and shifting.
        allow_two_vocals: let two lead voices sing at once.

    Raises:
        InvalidInput: at once, for values that make no sense.
    """

    vibe: str = "club"
    intensity: float = 0.5
    transition: Transition | None = None
    tempo_bpm: float | None = None
    key: str | None = None
    length_s: float | None = None
    loudness_lufs: float | None = None
    true_peak_dbtp: float = -1.0
    seed: int = 0
    engine: str = "auto"
    forced: bool = False
    allow_two_vocals: bool = False

    def __post_init__(self) -> None:
        find_vibe(self.vibe)
        if not 0 <= self.intensity <= 1:
            raise InvalidInput(f"intensity {self.intensity:g}: it must lie between 0 and 1")
        if self.transition is not None and self.transition not in TRANSITIONS:
            raise InvalidInput(
                f"unknown transition {self.transition!r}: one of {', '.join(TRANSITIONS)}"
            )
        if self.engine not in ENGINE_NAMES:
            raise InvalidInput(f"unknown engine {self.engine!r}: one of {', '.join(ENGINE_NAMES)}")
        _check("tempo", self.tempo_bpm, LOWEST_TEMPO_BPM, HIGHEST_TEMPO_BPM, "BPM")
        _check("length", self.length_s, SHORTEST_S, LONGEST_S, "s")
        _check("loudness", self.loudness_lufs, QUIETEST_LUFS, LOUDEST_LUFS, "LUFS")
        _check("true peak", self.true_peak_dbtp, -9.0, 0.0, "dBTP")
        if not 0 <= self.seed < 2**63:
            raise InvalidInput(f"seed {self.seed}: it must be 0 or more, and fit 63 bits")

    @property
    def figures(self) -> Vibe:
        """The vibe's row of the table."""
        return find_vibe(self.vibe)


def _check(name: str, value: float | None, low: float, high: float, unit: str) -> None:
    if value is not None and not low <= value <= high:
        raise InvalidInput(f"{name} {value:g} {unit}: it must lie between {low:g} and {high:g}")
