"""Loops and cue points."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from mashup_worker.analysis.form.cues import find_cue_points
from mashup_worker.analysis.form.loops import find_loops, likeness, seam_scores
from mashup_worker.analysis.form.result import Bar, CuePoint, Role, Section, SingingInterval
from tests.unit.analysis.form.songs import BAR_S, features_of

FORM = "aaaaaaaabbbbbbbb"
SECTIONS = [slice(0, 8), slice(8, 16)]


def test_bars_are_as_alike_as_their_features() -> None:
    found = features_of(FORM, noise=0.0)
    assert likeness(found, np.array([0, 0]), np.array([0, 4])).tolist() == [1, 1]
    assert likeness(found, np.array([0]), np.array([8]))[0] < 0.3
    assert likeness(found, np.array([0]), np.array([1]))[0] < 0.5


def test_a_seam_is_good_if_a_neighbor_matches() -> None:
    found = features_of(FORM, noise=0.0)
    scores = seam_scores(found, np.array([0, 1, 4]), 4)
    np.testing.assert_allclose(scores[:2], 1)
    assert scores[2] == 1, "the bar before it is like its last"
    assert seam_scores(found, np.array([0]), 3)[0] < 0.6


def test_loops_are_the_longest_of_equal_quality_within_sections() -> None:
    loops = find_loops(features_of(FORM, noise=0.0), SECTIONS, ())
    assert [(one.start_s, one.bars) for one in loops[:1]] == [(1.0, 4)]
    assert all(one.stop_s - one.start_s == one.bars * BAR_S for one in loops)
    spans = sorted((one.start_s, one.stop_s) for one in loops)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    edge_s = 1.0 + 8 * BAR_S
    assert not any(start < edge_s < stop for start, stop in spans)


def test_seams_through_singing_are_avoided() -> None:
    free = find_loops(features_of(FORM, noise=0.0), SECTIONS, ())
    sung = (SingingInterval(8.0, 10.0, 1.0),)
    kept = find_loops(features_of(FORM, noise=0.0), SECTIONS, sung)
    assert any(one.start_s == 9.0 or one.stop_s == 9.0 for one in free)
    assert kept
    assert all(9.0 not in (one.start_s, one.stop_s) for one in kept if one.confidence > 0.75)


def test_songs_without_sections_have_no_loops() -> None:
    assert find_loops(features_of("aaaa"), [], ()) == ()


def section(number: int, role: Role) -> Section:
    return Section(8.0 * number, 8.0 * number + 8, "A", 0.9, role, 0.5)


def bars(*levels_db: float) -> list[Bar]:
    return [Bar(2.0 * i, 1.0, levels_db[i // 4]) for i in range(4 * len(levels_db))]


def test_cue_points_follow_the_roles() -> None:
    roles: tuple[Role, ...] = ("intro", "verse", "chorus", "break", "drop", "outro")
    sections = [section(i, role) for i, role in enumerate(roles)]
    found = find_cue_points(sections, bars(-9, -6, -1, -9, 0, -9), 0.8)
    assert [(cue.time_s, cue.kind) for cue in found] == [
        (0.0, "first downbeat"),
        (8.0, "mix in"),
        (16.0, "drop"),
        (24.0, "break"),
        (32.0, "drop"),
        (40.0, "mix out"),
    ]
    assert found[0] == CuePoint(0.0, "first downbeat", 0.8)


def test_a_song_of_one_section_has_two_cue_points() -> None:
    found = find_cue_points([section(0, "verse")], bars(0), 0.5)
    assert [cue.kind for cue in found] == ["first downbeat", "mix in"]
    assert find_cue_points([], [], 0.5) == ()


def test_a_chorus_no_louder_than_before_is_no_drop() -> None:
    sections = [section(0, "verse"), section(1, "chorus")]
    assert "drop" not in [cue.kind for cue in find_cue_points(sections, bars(0, 1), 0.5)]
