"""Request for a mashup."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.dsp.stretch.choose import ENGINE_NAMES
from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.vibes import Vibe, find_vibe
from mashup_worker.vocabulary import (
    DEFAULT_TRUE_PEAK_DBTP,
    LOUDNESS_LUFS,
    MASHUP_LENGTH_S,
    TEMPO_BPM,
    TRANSITIONS,
    TRUE_PEAK_DBTP,
)

if TYPE_CHECKING:
    from mashup_worker.vocabulary import Range, TransitionName


@dataclass(frozen=True, kw_only=True)
class MixRequest:
    """Requested properties of a mashup.

    Attributes:
        intensity: 0 for calm to 1 for intense.
        transition: transition between songs; the vibe's own when None.
        tempo_bpm: tempo of the result; that of the first instruments when None.
        key: key of the result, such as `"A minor"`; the one with the least transposition when None.
        length_s: approximate duration of the result; as long as the vocals last when None.
        loudness_lufs: integrated loudness of the result; the vibe's own when None.
        engine: time-stretching engine; `auto` chooses by kind of stem.
        forced: whether songs may exceed the limits of stretching and transposition.

    Raises:
        InvalidInput: on construction, where a value is invalid.
    """

    vibe: str = "club"
    intensity: float = 0.5
    transition: TransitionName | None = None
    tempo_bpm: float | None = None
    key: str | None = None
    length_s: float | None = None
    loudness_lufs: float | None = None
    true_peak_dbtp: float = DEFAULT_TRUE_PEAK_DBTP
    seed: int = 0
    engine: str = "auto"
    forced: bool = False
    allow_two_vocals: bool = False

    def __post_init__(self) -> None:
        find_vibe(self.vibe)
        if not 0 <= self.intensity <= 1:
            raise InvalidInput(f"intensity {self.intensity:g}: must be from 0 to 1")
        if self.transition is not None and self.transition not in TRANSITIONS:
            raise InvalidInput(
                f"transition {self.transition!r}: unknown; use one of {', '.join(TRANSITIONS)}"
            )
        if self.engine not in ENGINE_NAMES:
            raise InvalidInput(
                f"engine {self.engine!r}: unknown; use one of {', '.join(ENGINE_NAMES)}"
            )
        check_range("tempo", self.tempo_bpm, TEMPO_BPM, unit="BPM")
        check_range("length", self.length_s, MASHUP_LENGTH_S, unit="s")
        check_range("loudness", self.loudness_lufs, LOUDNESS_LUFS, unit="LUFS")
        check_range("true peak", self.true_peak_dbtp, TRUE_PEAK_DBTP, unit="dBTP")
        if not 0 <= self.seed < 2**63:
            raise InvalidInput(f"seed {self.seed}: must be from 0 to 2^63 - 1")

    @property
    def vibe_settings(self) -> Vibe:
        """Settings of the requested vibe."""
        return find_vibe(self.vibe)


def check_range(name: str, value: float | None, allowed: Range, *, unit: str) -> None:
    """Raise `InvalidInput` for a value outside its range; None passes."""
    if value is not None and value not in allowed:
        raise InvalidInput(
            f"{name} {value:g} {unit}: must be from {allowed.low:g} to {allowed.high:g} {unit}"
        )
