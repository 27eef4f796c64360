"""Scores of an analysis against a known truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from benchmarks.scores import score, summaries, summary
from synth.song import Truth

if TYPE_CHECKING:
    from benchmarks.scores import SongScore

TRUTH = Truth(
    tempo_bpm=120.0,
    beats_s=tuple(1.3 + 0.5 * index for index in range(80)),
    downbeats_s=tuple(1.3 + 2.0 * index for index in range(20)),
    beats_per_bar=4,
    key="C# minor",
    tuning_cents=-40.0,
    has_drums=True,
    style="rock",
)
BEATS = np.array(TRUTH.beats_s)
DOWNBEATS = np.array(TRUTH.downbeats_s)


def judge(**estimates: Any) -> SongScore:
    perfect: dict[str, Any] = {
        "tempo_bpm": 120.0,
        "beats_s": BEATS,
        "downbeats_s": DOWNBEATS,
        "beats_per_bar": 4,
        "key": "C# minor",
        "tuning_cents": -40.0,
    }
    return score(TRUTH, **(perfect | estimates))


def test_a_perfect_analysis_has_perfect_scores() -> None:
    got = judge()
    assert (got.tempo_error_bpm, got.tempo_exact, got.tempo_level_ratio) == (0.0, True, 1.0)
    assert (got.beat_f, got.beat_offset_s) == (1.0, 0.0)
    assert got.downbeat_right
    assert got.meter_right
    assert (got.key_exact, got.key_weighted, got.tuning_error_cents) == (True, 1.0, 0.0)


@pytest.mark.parametrize("empty", [None, []])
def test_missing_estimates_score_nothing(empty: list[float] | None) -> None:
    got = score(
        TRUTH,
        tempo_bpm=None,
        beats_s=empty,
        downbeats_s=empty,
        beats_per_bar=None,
        key=None,
        tuning_cents=None,
    )
    assert got.tempo_error_bpm == float("inf")
    assert not got.tempo_exact
    assert got.tempo_level_ratio is None
    assert (got.beat_f, got.beat_offset_s) == (0.0, None)
    assert not got.downbeat_right
    assert not got.meter_right
    assert (got.key_exact, got.key_weighted, got.tuning_error_cents) == (False, 0.0, None)


@pytest.mark.parametrize(
    ("tempo_bpm", "exact", "level"),
    [(120.019, True, 1.0), (120.03, False, 1.0), (60.01, False, 0.5), (180.0, False, 1.5),
     (90.1, False, 3 / 4), (119.7, False, None), (100.0, False, None)],
)  # fmt: skip
def test_tempo_is_right_exactly_or_up_to_its_level(
    tempo_bpm: float, exact: bool, level: float | None
) -> None:
    got = judge(tempo_bpm=tempo_bpm)
    assert got.tempo_exact == exact
    assert got.tempo_level_ratio == level


def test_beats_count_within_70_ms_and_their_lag_is_signed() -> None:
    late = judge(beats_s=BEATS + 0.02)
    assert late.beat_f == 1.0
    assert late.beat_offset_s == pytest.approx(0.02)
    assert judge(beats_s=BEATS - 0.02).beat_offset_s == pytest.approx(-0.02)
    off = judge(beats_s=BEATS + 0.1)
    assert (off.beat_f, off.beat_offset_s) == (0.0, None)
    assert judge(beats_s=BEATS[::2]).beat_f == pytest.approx(2 / 3)


def test_beats_before_and_after_the_song_do_not_count() -> None:
    around = np.concatenate((BEATS, [0.3, 0.8, BEATS[-1] + 0.5, BEATS[-1] + 1.0]))
    assert judge(beats_s=around).beat_f == 1.0
    assert judge(beats_s=np.concatenate((BEATS, [1.1]))).beat_f < 1.0


def test_downbeats_need_four_fifths_of_both_shares() -> None:
    assert judge(downbeats_s=DOWNBEATS[4:]).downbeat_right
    assert not judge(downbeats_s=DOWNBEATS[5:]).downbeat_right
    assert not judge(downbeats_s=DOWNBEATS + 1.0).downbeat_right
    assert not judge(downbeats_s=BEATS).downbeat_right


@pytest.mark.parametrize(
    ("key", "weighted"),
    [("Db minor", 1.0), ("c# minor", 1.0), ("G# minor", 0.5), ("E major", 0.3),
     ("C# major", 0.2), ("F# minor", 0.0)],
)  # fmt: skip
def test_keys_are_weighted_however_they_are_spelled(key: str, weighted: float) -> None:
    got = judge(key=key)
    assert got.key_weighted == weighted
    assert got.key_exact == (weighted == 1.0)


def test_a_key_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="invalid"):
        judge(key="H minor")


def test_tuning_wraps_around_at_half_a_semitone() -> None:
    assert judge(tuning_cents=45.0).tuning_error_cents == pytest.approx(15.0)
    assert judge(tuning_cents=-30.0).tuning_error_cents == pytest.approx(10.0)


def test_summaries_are_of_all_songs_and_of_each_group() -> None:
    quiet = Truth(**{**vars(TRUTH), "has_drums": False, "style": "strings"})
    nothing = score(
        quiet, tempo_bpm=60.0, beats_s=None, downbeats_s=None, beats_per_bar=3, key="E major",
        tuning_cents=None,
    )  # fmt: skip
    both = summary([judge(), nothing])
    assert (both.songs, both.tempo_exact, both.tempo_level) == (2, 0.5, 1.0)
    assert (both.beat_f_median, both.beat_right, both.downbeat_right) == (0.5, 0.5, 0.5)
    assert both.key_exact == 0.5
    assert both.key_weighted == pytest.approx(0.65)
    assert both.tuning_error_cents == 0.0
    groups = summaries([judge(), nothing])
    assert list(groups) == [
        "all", "with drums", "without drums", "4/4", "style: rock", "style: strings",
    ]  # fmt: skip
    assert groups["without drums"].beat_f_mean == 0.0
    assert groups["style: strings"].beat_offset_s is None
    with pytest.raises(ValueError, match="no scores"):
        summary([])
