from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import mir_eval
import pytest

from synth import bandstand
from synth.jukebox.drawing import draw_plan
from synth.jukebox.score import truth_of, write_score
from synth.labels import chord_label, joined, phrases
from synth.song import Span

if TYPE_CHECKING:
    from synth.song import Truth


def jukebox(seed: int) -> Truth:
    plan = draw_plan(seed)
    return truth_of(plan, write_score(plan))


@pytest.fixture(scope="module")
def truths() -> list[Truth]:
    return [bandstand.draw(seed).truth for seed in range(40)] + [jukebox(s) for s in range(40)]


def test_chords_have_labels_that_other_tools_read() -> None:
    assert chord_label(14, (0, 3, 7, 10)) == "D:min7"
    assert chord_label(10, (0, 4, 7)) == "Bb:maj"
    with pytest.raises(KeyError):
        chord_label(0, (0, 1))


def test_neighbors_with_one_label_are_one_span() -> None:
    spans = [Span(0, 1, "a"), Span(1, 2, "a"), Span(2, 3, "b"), Span(3, 4, "a")]
    assert joined(spans) == (Span(0, 2, "a"), Span(2, 3, "b"), Span(3, 4, "a"))


def test_notes_with_short_pauses_are_one_phrase() -> None:
    notes = [(4.0, 5.0), (0.0, 1.0), (1.4, 2.0), (1.5, 1.8)]
    assert phrases(notes) == ((0.0, 2.0), (4.0, 5.0))
    assert phrases([]) == ()


def test_sections_and_chords_cover_a_song_from_its_first_bar(truths: list[Truth]) -> None:
    for truth in truths:
        for spans in (truth.sections, truth.chords):
            assert all(a.stop_s == b.start_s for a, b in pairwise(spans))
            assert all(span.start_s < span.stop_s for span in spans)
        assert truth.sections[-1].stop_s == pytest.approx(truth.chords[-1].stop_s)
        for section in truth.sections:
            nearest = min(abs(section.start_s - bar) for bar in truth.downbeats_s)
            assert nearest < 1e-6 or section is truth.sections[0]


def test_chords_of_songs_follow_the_key(truths: list[Truth]) -> None:
    """A song ends on its tonic, and its labels are valid."""
    for truth in truths:
        roots = [mir_eval.chord.encode(span.label)[0] for span in truth.chords]
        assert truth.key is not None
        assert roots[-1] == mir_eval.chord.encode(truth.key.split()[0])[0]


def test_only_songs_with_a_singer_have_singing(truths: list[Truth]) -> None:
    sung = [truth for truth in truths if truth.singing_s]
    assert 5 < len(sung) < 35
    for truth in sung:
        assert all(a[1] < b[0] for a, b in pairwise(truth.singing_s))
        assert truth.singing_s[0][0] >= 0
    assert not any(truth.singing_s for truth in truths[:40])
