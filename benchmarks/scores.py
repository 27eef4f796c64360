"""How near an analysis of a song comes to the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import mir_eval
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from synth.song import Truth

LEVELS = (1 / 3, 1 / 2, 2 / 3, 3 / 4, 1.0, 4 / 3, 3 / 2, 2.0, 3.0)
"""Ratios of an estimated tempo to the true one that stand for another metrical level."""

TEMPO_EXACT_BPM = 0.02
TEMPO_LEVEL_TOLERANCE = 0.002
BEAT_WINDOW_S = 0.07
DOWNBEAT_SHARE = 0.8

Times = NDArray[np.float64]


@dataclass(frozen=True)
class SongScore:
    """Scores of one song; where an estimate is missing they are as bad as can be.

    Attributes:
        style: kind of music.
        has_drums: whether drums play in at least half of the song.
        beats_per_bar: the true number.
        tempo_error_bpm: absolute error; infinite without an estimate.
        tempo_exact: whether the error is at most 0.02 BPM.
        tempo_level_ratio: which of `LEVELS` the estimate is of the truth within 0.2 %, else None.
        beat_f: F-measure of the beats within 70 ms. Nothing is trimmed from the start; estimates
            more than half a beat outside the true span don't count.
        beat_offset_s: median of estimate less truth over beats within 70 ms; None if there are
            none. Late estimates are positive.
        downbeat_right: whether at least 80 % of the true downbeats are found within 70 ms and at
            least 80 % of the estimated ones in the true span are right.
        meter_right: whether the beats in a bar are right.
        key_exact: whether tonic and mode are right, however they are spelled.
        key_weighted: `mir_eval.key.weighted_score`: 1, 0.5 a fifth above, 0.3 relative,
            0.2 parallel, else 0.
        tuning_error_cents: absolute and circular, 0 to 50; None without an estimate.
    """

    style: str
    has_drums: bool
    beats_per_bar: int
    tempo_error_bpm: float
    tempo_exact: bool
    tempo_level_ratio: float | None
    beat_f: float
    beat_offset_s: float | None
    downbeat_right: bool
    meter_right: bool
    key_exact: bool
    key_weighted: float
    tuning_error_cents: float | None


@dataclass(frozen=True)
class Summary:
    """Shares and medians over songs.

    Attributes:
        songs: how many.
        tempo_exact: share within 0.02 BPM.
        tempo_level: share right up to the metrical level.
        beat_f_mean: mean F-measure.
        beat_f_median: its median.
        beat_right: share with an F-measure of 0.9 or more.
        beat_offset_s: median of the songs' offsets; None if no song has one.
        downbeat_right: share.
        meter_right: share.
        key_exact: share.
        key_weighted: mean.
        tuning_error_cents: median; None if no song has an estimate.
    """

    songs: int
    tempo_exact: float
    tempo_level: float
    beat_f_mean: float
    beat_f_median: float
    beat_right: float
    beat_offset_s: float | None
    downbeat_right: float
    meter_right: float
    key_exact: float
    key_weighted: float
    tuning_error_cents: float | None


def score(
    truth: Truth,
    *,
    tempo_bpm: float | None,
    beats_s: Sequence[float] | Times | None,
    downbeats_s: Sequence[float] | Times | None,
    beats_per_bar: int | None,
    key: str | None,
    tuning_cents: float | None,
) -> SongScore:
    """Compare estimates with the truth; any of them may be None or empty.

    Raises:
        ValueError: if `key` is not of a form such as `"C# minor"`.
    """
    beats = _within_song(truth, beats_s)
    true_beats = np.asarray(truth.beats_s, dtype=np.float64)
    error_bpm = abs(tempo_bpm - truth.tempo_bpm) if tempo_bpm else float("inf")
    weighted = key_score(truth.key, key)
    return SongScore(
        style=truth.style,
        has_drums=truth.has_drums,
        beats_per_bar=truth.beats_per_bar,
        tempo_error_bpm=error_bpm,
        tempo_exact=error_bpm <= TEMPO_EXACT_BPM,
        tempo_level_ratio=level(tempo_bpm / truth.tempo_bpm) if tempo_bpm else None,
        beat_f=beat_f(true_beats, beats),
        beat_offset_s=_offset_s(true_beats, beats),
        downbeat_right=_downbeats_right(truth, _within_song(truth, downbeats_s)),
        meter_right=beats_per_bar == truth.beats_per_bar,
        key_exact=weighted == 1.0,
        key_weighted=weighted,
        tuning_error_cents=_tuning_error(truth.tuning_cents, tuning_cents),
    )


def summary(scores: Sequence[SongScore]) -> Summary:
    """Shares and medians over songs.

    Raises:
        ValueError: if there are no scores.
    """
    if not scores:
        raise ValueError("no scores to sum up")
    beats = [s.beat_f for s in scores]
    return Summary(
        songs=len(scores),
        tempo_exact=_mean([s.tempo_exact for s in scores]),
        tempo_level=_mean([s.tempo_level_ratio is not None for s in scores]),
        beat_f_mean=_mean(beats),
        beat_f_median=float(np.median(beats)),
        beat_right=_mean([f >= 0.9 for f in beats]),
        beat_offset_s=_median([s.beat_offset_s for s in scores]),
        downbeat_right=_mean([s.downbeat_right for s in scores]),
        meter_right=_mean([s.meter_right for s in scores]),
        key_exact=_mean([s.key_exact for s in scores]),
        key_weighted=_mean([s.key_weighted for s in scores]),
        tuning_error_cents=_median([s.tuning_error_cents for s in scores]),
    )


def summaries(scores: Sequence[SongScore]) -> dict[str, Summary]:
    """Summaries of all songs, with and without drums, by beats in a bar, and by style."""
    groups: list[Callable[[SongScore], str]] = [
        lambda _: "all",
        lambda s: "with drums" if s.has_drums else "without drums",
        lambda s: f"{s.beats_per_bar}/4",
        lambda s: f"style: {s.style}",
    ]
    out: dict[str, Summary] = {}
    for name_of in groups:
        for name in sorted({name_of(s) for s in scores}):
            out[name] = summary([s for s in scores if name_of(s) == name])
    return out


def level(ratio: float, tolerance: float = TEMPO_LEVEL_TOLERANCE) -> float | None:
    """Return which of `LEVELS` a ratio of two tempi is within the tolerance, if any."""
    return next((one for one in LEVELS if abs(ratio / one - 1) <= tolerance), None)


def beat_f(true_s: Times, estimated_s: Times) -> float:
    """Return the F-measure of beats within 70 ms; 0 where either are missing."""
    # mir_eval warns of empty beats, which are nothing unusual here.
    if not len(true_s) or not len(estimated_s):
        return 0.0
    return float(mir_eval.beat.f_measure(true_s, estimated_s, BEAT_WINDOW_S))


def key_score(true_key: str | None, key: str | None) -> float:
    """Return the score of a key by MIREX, as `SongScore.key_weighted`; 0 where one is missing."""
    if key is None or true_key is None:
        return 0.0
    return float(mir_eval.key.weighted_score(true_key, key))


def _within_song(truth: Truth, times_s: Sequence[float] | Times | None) -> Times:
    """Sorted estimates that lie at most half a beat outside the true span."""
    times = np.sort(np.asarray([] if times_s is None else times_s, dtype=np.float64))
    half_s = 30.0 / truth.tempo_bpm
    inside = (times >= truth.beats_s[0] - half_s) & (times <= truth.beats_s[-1] + half_s)
    return np.asarray(times[inside])


def _offset_s(true_s: Times, estimated_s: Times) -> float | None:
    if not len(estimated_s):
        return None
    gaps = estimated_s[:, None] - true_s[None, :]
    nearest = gaps[np.arange(len(gaps)), np.abs(gaps).argmin(axis=1)]
    close = nearest[np.abs(nearest) <= BEAT_WINDOW_S]
    return float(np.median(close)) if len(close) else None


def _downbeats_right(truth: Truth, estimated_s: Times) -> bool:
    true_s = np.asarray(truth.downbeats_s, dtype=np.float64)
    if not len(estimated_s) or not len(true_s):
        return False
    found = len(mir_eval.util.match_events(true_s, estimated_s, BEAT_WINDOW_S))
    return bool(min(found / len(true_s), found / len(estimated_s)) >= DOWNBEAT_SHARE)


def _tuning_error(true_cents: float, cents: float | None) -> float | None:
    if cents is None:
        return None
    return abs((cents - true_cents + 50) % 100 - 50)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None
