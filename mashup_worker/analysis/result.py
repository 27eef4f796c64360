"""What an analysis is asked for, and what it says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from mashup_worker.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

KeyProfile = Literal["auto", "krumhansl", "temperley", "edm"]
KEY_PROFILES: tuple[KeyProfile, ...] = ("auto", "krumhansl", "temperley", "edm")

LOWEST_TEMPO_BPM = 30.0
HIGHEST_TEMPO_BPM = 300.0


@dataclass(frozen=True)
class AnalysisOptions:
    """What is known of the song beforehand.

    Attributes:
        tempo_range_bpm: the lowest and highest tempo that may come out.
        tempo_hint_bpm: about where the tempo lies; decides between a tempo and its half or double.
        beats_per_bar: 3 or 4; found out when None.
        key_profile: what keys are compared with; `auto` chooses by content.

    Raises:
        InvalidInput: at once, for values that make no sense.
    """

    tempo_range_bpm: tuple[float, float] = (55.0, 200.0)
    tempo_hint_bpm: float | None = None
    beats_per_bar: int | None = None
    key_profile: KeyProfile = "auto"

    def __post_init__(self) -> None:
        lowest, highest = self.tempo_range_bpm
        if not LOWEST_TEMPO_BPM <= lowest < highest <= HIGHEST_TEMPO_BPM:
            raise InvalidInput(
                f"tempo range {lowest:g} to {highest:g} BPM: it must rise, and lie between "
                f"{LOWEST_TEMPO_BPM:g} and {HIGHEST_TEMPO_BPM:g}"
            )
        hint = self.tempo_hint_bpm
        if hint is not None and not LOWEST_TEMPO_BPM <= hint <= HIGHEST_TEMPO_BPM:
            raise InvalidInput(
                f"tempo hint {hint:g} BPM: it must lie between {LOWEST_TEMPO_BPM:g} and "
                f"{HIGHEST_TEMPO_BPM:g}"
            )
        if hint is not None and not lowest <= hint <= highest:
            raise InvalidInput(
                f"tempo hint {hint:g} BPM: it lies outside the tempo range {lowest:g} to "
                f"{highest:g}; give another range too"
            )
        if self.beats_per_bar not in (None, 3, 4):
            raise InvalidInput(f"beats per bar {self.beats_per_bar}: they must be 3 or 4")
        if self.key_profile not in KEY_PROFILES:
            raise InvalidInput(
                f"key profile {self.key_profile!r}: one of {', '.join(KEY_PROFILES)}"
            )

    def as_dict(self) -> dict[str, Any]:
        """The options as JSON keeps them."""
        return {
            "tempo_range_bpm": list(self.tempo_range_bpm),
            "tempo_hint_bpm": self.tempo_hint_bpm,
            "beats_per_bar": self.beats_per_bar,
            "key_profile": self.key_profile,
        }


NOTHING_KNOWN = AnalysisOptions()


@dataclass(frozen=True)
class TempoCandidate:
    """A tempo that the song may have; scores of all of a song's candidates add up to 1."""

    tempo_bpm: float
    score: float


@dataclass(frozen=True)
class KeyCandidate:
    """A key that the song may have; scores of all 24 keys add up to 1.

    Attributes:
        key: tonic and mode, such as `"A minor"`.
        camelot: its place on the Camelot wheel, such as `"8A"`.
        score: its share.
    """

    key: str
    camelot: str
    score: float


@dataclass(frozen=True)
class Analysis:
    """What is known of a song. What can't be told is None, or an empty tuple.

    Attributes:
        duration_s: length of the song.
        tempo_bpm: beats a minute; the median where the tempo is not stable.
        tempo_confidence: 0 to 1.
        tempo_candidates: the likely tempi, best first.
        tempo_stable: whether one tempo fits the whole song; else the beats follow the music.
        beats_s: times of beats, rising.
        downbeats_s: those of them that begin a bar.
        beats_per_bar: 3 or 4.
        key: tonic and mode, such as `"A minor"`.
        camelot: its place on the Camelot wheel, such as `"8A"`.
        key_confidence: 0 to 1.
        key_candidates: the likely keys, best first.
        key_profile: the profile that decided.
        tuning_cents: how far the song's A lies from 440 Hz, -50 to 50.
        loudness_lufs: integrated loudness.
        loudness_range_lu: loudness range after EBU Tech 3342.
        true_peak_dbtp: true peak.
    """

    duration_s: float
    tempo_bpm: float | None = None
    tempo_confidence: float = 0.0
    tempo_candidates: tuple[TempoCandidate, ...] = ()
    tempo_stable: bool | None = None
    beats_s: tuple[float, ...] = ()
    downbeats_s: tuple[float, ...] = ()
    beats_per_bar: int | None = None
    key: str | None = None
    camelot: str | None = None
    key_confidence: float = 0.0
    key_candidates: tuple[KeyCandidate, ...] = ()
    key_profile: str | None = None
    tuning_cents: float | None = None
    loudness_lufs: float | None = None
    loudness_range_lu: float | None = None
    true_peak_dbtp: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """The object that JSON carries: numbers rounded to what they can mean."""
        return {
            "tempo_bpm": _rounded(self.tempo_bpm, 3),
            "tempo_confidence": round(self.tempo_confidence, 3),
            "tempo_candidates_bpm": [round(one.tempo_bpm, 3) for one in self.tempo_candidates],
            "tempo_candidates": [
                {"tempo_bpm": round(one.tempo_bpm, 3), "score": round(one.score, 3)}
                for one in self.tempo_candidates
            ],
            "tempo_stable": self.tempo_stable,
            "beats_s": [round(time_s, 4) for time_s in self.beats_s],
            "downbeats_s": [round(time_s, 4) for time_s in self.downbeats_s],
            "beats_per_bar": self.beats_per_bar,
            "key": self.key,
            "camelot": self.camelot,
            "key_confidence": round(self.key_confidence, 3),
            "key_candidates": [
                {"key": one.key, "camelot": one.camelot, "score": round(one.score, 3)}
                for one in self.key_candidates
            ],
            "key_profile": self.key_profile,
            "tuning_cents": _rounded(self.tuning_cents, 1),
            "loudness_lufs": _rounded(self.loudness_lufs, 2),
            "loudness_range_lu": _rounded(self.loudness_range_lu, 2),
            "true_peak_dbtp": _rounded(self.true_peak_dbtp, 2),
            "duration_s": round(self.duration_s, 6),
        }


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the analysis saw on its way, for pictures.

    Attributes:
        tempogram: strength of each tempo over time, shape `(tempi, frames)`, 0 and up.
        tempogram_bpm: the tempi, shape `(tempi,)`.
        tempogram_times_s: the frames' times, shape `(frames,)`.
        chroma: shape `(12, frames)`, from C up, 0 to 1.
        chroma_times_s: the frames' times, shape `(frames,)`.
        loudness_times_s: ends of the loudness windows, every 100 ms, shape `(steps,)`.
        momentary_lufs: loudness of the last 400 ms, shape `(steps,)`.
        short_term_lufs: loudness of the last 3 s, same shape; NaN before there were 3 s.
    """

    tempogram: Tensor
    tempogram_bpm: Tensor
    tempogram_times_s: Tensor
    chroma: Tensor
    chroma_times_s: Tensor
    loudness_times_s: Tensor
    momentary_lufs: Tensor
    short_term_lufs: Tensor


@dataclass(frozen=True, eq=False)
class AnalyzeResult:
    """An analysis, what it rests on, and how long it took.

    Attributes:
        analysis: what is known.
        evidence: what was seen on the way.
        timings_s: seconds spent in each stage.
    """

    analysis: Analysis
    evidence: Evidence
    timings_s: Mapping[str, float] = field(default_factory=dict)

    @property
    def elapsed_s(self) -> float:
        """Seconds spent in all."""
        return sum(self.timings_s.values())


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
