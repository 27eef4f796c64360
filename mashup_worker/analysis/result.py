"""Options and results of an analysis."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from mashup_worker.analysis.form.result import (
    Bar,
    ChordSpan,
    CuePoint,
    Loop,
    Section,
    SingingInterval,
    rounded,
)
from mashup_worker.errors import InvalidInput
from mashup_worker.vocabulary import TEMPO_BPM

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

ANALYSIS_VERSION = "4"
"""Increase it when analyses change, so that stored ones are made again."""

KeyProfile = Literal["auto", "krumhansl", "temperley", "edm"]
KEY_PROFILES: tuple[KeyProfile, ...] = get_args(KeyProfile)

ChordMethod = Literal["template", "network"]
CHORD_METHODS: tuple[ChordMethod, ...] = get_args(ChordMethod)

BEATS_PER_BAR = (2, 3, 4, 5, 7)
"""Lengths of bars in beats; most bars of two beats are in compound meters such as 6/8."""


@dataclass(frozen=True)
class AnalysisOptions:
    """Ranges and hints for the analysis of a song.

    Attributes:
        tempo_range_bpm: lowest and highest tempo of the result.
        tempo_hint_bpm: approximate tempo; decides between a tempo and its half or double.
        beats_per_bar: 2, 3, 4, 5 or 7; estimated when None.
        key_profile: key profile to compare with; `auto` selects one by content.
        chord_method: `template` for major and minor chords, or `network` for more kinds of chords
            by the networks of the extra `chords`, which take most of the time then.

    Raises:
        InvalidInput: a value is out of range, or two values contradict each other.
    """

    tempo_range_bpm: tuple[float, float] = (55.0, 200.0)
    tempo_hint_bpm: float | None = None
    beats_per_bar: int | None = None
    key_profile: KeyProfile = "auto"
    chord_method: ChordMethod = "template"

    def __post_init__(self) -> None:
        lowest, highest = self.tempo_range_bpm
        limits = f"{TEMPO_BPM.low:g} to {TEMPO_BPM.high:g}"
        if lowest not in TEMPO_BPM or highest not in TEMPO_BPM or lowest >= highest:
            raise InvalidInput(
                f"tempo range {lowest:g} to {highest:g} BPM: invalid; choose a rising range within "
                f"{limits}"
            )
        hint = self.tempo_hint_bpm
        if hint is not None and hint not in TEMPO_BPM:
            raise InvalidInput(f"tempo hint {hint:g} BPM: out of range; choose {limits}")
        if hint is not None and not lowest <= hint <= highest:
            raise InvalidInput(
                f"tempo hint {hint:g} BPM: outside the tempo range {lowest:g} to {highest:g}; "
                "give another range too"
            )
        if self.beats_per_bar not in (None, *BEATS_PER_BAR):
            choices = ", ".join(map(str, BEATS_PER_BAR))
            raise InvalidInput(f"beats per bar {self.beats_per_bar}: unsupported; choose {choices}")
        if self.key_profile not in KEY_PROFILES:
            raise InvalidInput(
                f"key profile {self.key_profile!r}: unknown; choose {', '.join(KEY_PROFILES)}"
            )
        if self.chord_method not in CHORD_METHODS:
            raise InvalidInput(
                f"chord method {self.chord_method!r}: unknown; choose {', '.join(CHORD_METHODS)}"
            )

    def as_dict(self) -> dict[str, Any]:
        """Return the options as JSON values."""
        return {
            "tempo_range_bpm": list(self.tempo_range_bpm),
            "tempo_hint_bpm": self.tempo_hint_bpm,
            "beats_per_bar": self.beats_per_bar,
            "key_profile": self.key_profile,
            "chord_method": self.chord_method,
        }


DEFAULT_OPTIONS = AnalysisOptions()


@dataclass(frozen=True)
class TempoCandidate:
    """Possible tempo of a song; the scores of all candidates add up to 1."""

    tempo_bpm: float
    score: float


@dataclass(frozen=True)
class TempoStretch:
    """Part of a song with a constant tempo and phase, from its first beat to its last."""

    start_s: float
    stop_s: float
    tempo_bpm: float
    beats_per_bar: int


@dataclass(frozen=True)
class KeyCandidate:
    """Possible key of a song; the scores of all 24 keys add up to 1.

    Attributes:
        key: tonic and mode, such as `"A minor"`.
        camelot: position on the Camelot wheel, such as `"8A"`.
        score: share of the key.
    """

    key: str
    camelot: str
    score: float


@dataclass(frozen=True)
class Analysis:
    """Analysis of a song. Values that cannot be determined are None or empty.

    Attributes:
        duration_s: duration of the song.
        tempo_bpm: beats per minute; the median if the tempo drifts. Of several stretches, the
            longest gives tempo, candidates, bars and confidences.
        tempo_confidence: 0 to 1.
        beat_confidence: that the beats are not between those that people tap, 0 to 1.
        bar_confidence: that bars have this length and begin at these beats, 0 to 1.
        tempo_candidates: likely tempi, best first.
        tempo_stable: whether one tempo fits the whole song; otherwise the beats follow the music.
        beats_s: times of the beats, rising.
        downbeats_s: times of the beats that begin a bar.
        beats_per_bar: one of `BEATS_PER_BAR`.
        time_signature: such as `"4/4"` or `"6/8"`.
        tempo_stretches: parts with a constant tempo and phase, in order; one for most songs.
        key: tonic and mode, such as `"A minor"`.
        camelot: position on the Camelot wheel, such as `"8A"`.
        key_confidence: 0 to 1.
        key_candidates: likely keys, best first.
        key_profile: key profile in use.
        tuning_cents: distance of the song's A from 440 Hz, -50 to 50.
        loudness_lufs: integrated loudness.
        loudness_range_lu: loudness range by EBU Tech 3342.
        true_peak_dbtp: true peak.
        sections: parts of the song on whole bars, in order.
        chords: chords on the beats, in order.
        chord_method: method that found the chords; None without chords.
        singing: times with singing, in order; empty where `singing_known` is false.
        singing_known: whether the song came with a stem of its vocals.
        bars: energy and chord of each bar.
        loops: bars that can be repeated without a seam, best first.
        cue_points: places to start from and to mix at, in order of time.
    """

    duration_s: float
    tempo_bpm: float | None = None
    tempo_confidence: float = 0.0
    beat_confidence: float = 0.0
    bar_confidence: float = 0.0
    tempo_candidates: tuple[TempoCandidate, ...] = ()
    tempo_stable: bool | None = None
    beats_s: tuple[float, ...] = ()
    downbeats_s: tuple[float, ...] = ()
    beats_per_bar: int | None = None
    time_signature: str | None = None
    tempo_stretches: tuple[TempoStretch, ...] = ()
    key: str | None = None
    camelot: str | None = None
    key_confidence: float = 0.0
    key_candidates: tuple[KeyCandidate, ...] = ()
    key_profile: str | None = None
    tuning_cents: float | None = None
    loudness_lufs: float | None = None
    loudness_range_lu: float | None = None
    true_peak_dbtp: float | None = None
    sections: tuple[Section, ...] = ()
    chords: tuple[ChordSpan, ...] = ()
    chord_method: ChordMethod | None = None
    singing: tuple[SingingInterval, ...] = ()
    singing_known: bool = False
    bars: tuple[Bar, ...] = ()
    loops: tuple[Loop, ...] = ()
    cue_points: tuple[CuePoint, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the analysis as JSON values, rounded to their accuracy."""
        return {
            "tempo_bpm": _rounded(self.tempo_bpm, 3),
            "tempo_confidence": round(self.tempo_confidence, 3),
            "beat_confidence": round(self.beat_confidence, 3),
            "bar_confidence": round(self.bar_confidence, 3),
            "tempo_candidates_bpm": [round(one.tempo_bpm, 3) for one in self.tempo_candidates],
            "tempo_candidates": [
                {"tempo_bpm": round(one.tempo_bpm, 3), "score": round(one.score, 3)}
                for one in self.tempo_candidates
            ],
            "tempo_stable": self.tempo_stable,
            "beats_s": [round(time_s, 4) for time_s in self.beats_s],
            "downbeats_s": [round(time_s, 4) for time_s in self.downbeats_s],
            "beats_per_bar": self.beats_per_bar,
            "time_signature": self.time_signature,
            "tempo_stretches": [
                {
                    "start_s": round(one.start_s, 4),
                    "stop_s": round(one.stop_s, 4),
                    "tempo_bpm": round(one.tempo_bpm, 3),
                    "beats_per_bar": one.beats_per_bar,
                }
                for one in self.tempo_stretches
            ],
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
            "sections": [rounded(one) for one in self.sections],
            "chords": [rounded(one) for one in self.chords],
            "chord_method": self.chord_method,
            "singing": [rounded(one) for one in self.singing],
            "singing_known": self.singing_known,
            "bars": [rounded(one) for one in self.bars],
            "loops": [rounded(one) for one in self.loops],
            "cue_points": [rounded(one) for one in self.cue_points],
            "duration_s": round(self.duration_s, 6),
        }


@dataclass(frozen=True, eq=False)
class Evidence:
    """Features behind an analysis, for plots.

    Attributes:
        tempogram: strength of each tempo over time, shape `(tempi, frames)`, 0 and up.
        tempogram_bpm: the tempi, shape `(tempi,)`.
        tempogram_times_s: times of the frames, shape `(frames,)`.
        chroma: strength of the pitch classes from C upwards, shape `(12, frames)`, 0 to 1.
        chroma_times_s: times of the frames, shape `(frames,)`.
        loudness_times_s: ends of the loudness windows, every 100 ms, shape `(steps,)`.
        momentary_lufs: loudness of the last 400 ms, shape `(steps,)`.
        short_term_lufs: loudness of the last 3 s, same shape; NaN in the first 3 s.
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
    """Analysis with its evidence and timings.

    Attributes:
        analysis: the analysis.
        evidence: features behind it.
        timings_s: seconds per stage.
        warnings: missing and ignored parts of the files.
    """

    analysis: Analysis
    evidence: Evidence
    timings_s: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def elapsed_s(self) -> float:
        """Sum of the stages in seconds."""
        return sum(self.timings_s.values())


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
