from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest

from mashup_worker.analysis.form.boundaries import (
    EVIDENCE,
    boundary_evidence,
    boundary_log_odds,
    cosine_distance,
    divided,
    spans_of,
)
from mashup_worker.analysis.form.letters import joined, letters_of, repetitions
from mashup_worker.analysis.form.roles import roles_of
from tests.unit.analysis.form.songs import features_of

FORM = "aaaaaaaabbbbbbbbccccaaaaaaaabbbbbbbb"
EDGES = [0, 8, 16, 20, 28, 36]


def naive_score(odds: np.ndarray, edges: tuple[int, ...]) -> float:
    score = sum(odds[edge - 1] + 2.0 for edge in edges[1:-1])
    for first, stop in pairwise(edges):
        bars = stop - first
        part = 0.0 if bars % 4 == 0 else -1.0 if bars % 2 == 0 else -2.5
        if bars <= 2 and (first == 0 or stop == len(odds) + 1):
            part = max(part, -1.5)
        score += part - (bars < 2)
    return float(score)


@pytest.mark.parametrize("seed", range(5))
def test_the_likeliest_sections_are_found(seed: int) -> None:
    bars = 9
    odds = np.random.default_rng(seed).normal(-2, 2, bars - 1)
    every = [
        (0, *inner, bars) for count in range(bars) for inner in combinations(range(1, bars), count)
    ]
    best = max(every, key=lambda edges: naive_score(odds, edges))
    assert naive_score(odds, tuple(divided(odds))) == pytest.approx(naive_score(odds, best))


def test_evidence_compares_what_is_before_and_after() -> None:
    found = features_of(FORM)
    evidence = boundary_evidence(found)
    assert evidence.shape == (len(FORM) - 1, 2 * len(EVIDENCE))
    reach = EVIDENCE.index("levels 2")
    for at in (1, 8, 35):
        before = found.levels_db[:, max(0, at - 2) : at].mean(axis=1)
        after = found.levels_db[:, at : at + 2].mean(axis=1)
        change = np.sqrt(np.square(after - before).mean())
        row = np.exp(evidence[:, reach])
        assert row[at - 1] - row.min() == pytest.approx(
            change - (row.min() - (row[at - 1] - change)), abs=1e-9
        )
    np.testing.assert_allclose(cosine_distance(np.eye(2), np.eye(2)[:, ::-1]), [1, 1])


@pytest.mark.parametrize("noise", [0.0, 0.05, 0.15])
def test_sections_begin_where_players_and_chords_change(noise: float) -> None:
    found = features_of(FORM, noise=noise)
    spans = spans_of(divided(boundary_log_odds(found)))
    spans, letters = joined(spans, letters_of(found, spans))
    assert [part.start for part in spans] + [spans[-1].stop] == EDGES
    assert letters == ("A", "B", "C", "A", "B")


def test_a_song_without_change_is_one_section() -> None:
    found = features_of("a" * 24)
    spans = spans_of(divided(boundary_log_odds(found)))
    assert joined(spans, letters_of(found, spans)) == ([slice(0, 24)], ("A",))


@pytest.mark.parametrize("bars", [5, 6, 7])
def test_few_bars_are_no_error(bars: int) -> None:
    found = features_of(FORM[:bars])
    spans = spans_of(divided(boundary_log_odds(found)))
    assert spans[-1].stop == bars
    assert len(letters_of(found, spans)) == len(spans)
    assert repetitions(found).shape == (bars, bars)


def test_silent_features_are_no_error() -> None:
    found = features_of("a" * 8)
    for rows in (found.levels_db, found.strokes, found.pitches, found.power):
        rows[:] = 0
    spans = spans_of(divided(boundary_log_odds(found)))
    letters = letters_of(found, spans)
    assert len(roles_of(found, spans, letters, None)) == len(spans)


def test_paths_follow_repetitions() -> None:
    paths = repetitions(features_of(FORM))
    same = np.mean([paths[bar, bar + 20] for bar in range(8)])
    other = np.mean([paths[bar, bar + 8] for bar in range(8)])
    assert same > 2 * other


def test_neighbors_with_one_letter_are_one_section() -> None:
    parts = [slice(0, 4), slice(4, 8), slice(8, 12)]
    assert joined(parts, "AAB") == ([slice(0, 8), slice(8, 12)], ("A", "B"))
    assert joined([], "") == ([], ())


def test_quiet_beginnings_are_intros_and_quiet_ends_outros() -> None:
    found = features_of("ccccbbbbbbbbaaaabbbbbbbbcccc")
    spans = [slice(0, 4), slice(4, 12), slice(12, 16), slice(16, 24), slice(24, 28)]
    roles = roles_of(found, spans, ("A", "B", "C", "B", "A"), None)
    assert (roles[0][0], roles[-1][0]) == ("intro", "outro")
    assert roles[1][0] in ("verse", "chorus")
    assert all(0 < share <= 1 for _, share in roles)
