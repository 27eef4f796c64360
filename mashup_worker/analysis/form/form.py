"""Form of a song on its beats and bars."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mashup_worker.analysis.form.bars import bar_edges_s, bar_features
from mashup_worker.analysis.form.boundaries import boundary_log_odds, divided, spans_of
from mashup_worker.analysis.form.chords import beat_edges_s, chord_at, chord_spans, template_chords
from mashup_worker.analysis.form.cues import find_cue_points
from mashup_worker.analysis.form.letters import joined, letters_of
from mashup_worker.analysis.form.loops import find_loops
from mashup_worker.analysis.form.result import Bar, Form, Section
from mashup_worker.analysis.form.roles import roles_of
from mashup_worker.analysis.form.singing import find_singing
from mashup_worker.analysis.form.weights import share
from mashup_worker.vocabulary import STEM_KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from mashup_worker.analysis.chroma import Chroma
    from mashup_worker.analysis.form.bars import BarFeatures
    from mashup_worker.analysis.form.result import ChordSpan
    from mashup_worker.analysis.onsets import Onsets
    from mashup_worker.analysis.result import ChordMethod
    from mashup_worker.analysis.rhythm import Rhythm

FEWEST_BARS, MOST_BARS = 5, 2_000
"""Songs with fewer bars have no sections, and sets with more would need gigabytes."""

_VOCALS = "vocals"


@dataclass(frozen=True, eq=False)
class Heard:
    """Sounds and features in which the form is found.

    Attributes:
        duration_s: duration of the song.
        sounds: mono sounds at the rate of the onsets that add up to the song: its stems by kind, or
            itself under any other name.
        harmony: chroma of the sound that carries the harmony.
        onsets: onsets of the sound that carries the rhythm.
        rhythm: tempo, beats and bars.
        silent: whether nothing is audible.
    """

    duration_s: float
    sounds: Mapping[str, Tensor] = field(repr=False)
    harmony: Chroma
    onsets: Onsets
    rhythm: Rhythm
    silent: bool = False

    @property
    def mix(self) -> Tensor:
        """The song, shape `(samples,)`."""
        first, *rest = self.sounds.values()
        return sum(rest, start=first)


def find_form(heard: Heard, chord_method: ChordMethod = "template") -> Form:
    """Find sections, chords, singing, energy, loops and cue points of a song.

    Raises:
        ModelUnavailable: chords by network are asked for, and the extra `chords` is not installed.
    """
    if heard.silent:
        return Form(singing_known=_VOCALS in heard.sounds)
    known = _VOCALS in heard.sounds
    singing = find_singing(heard.sounds[_VOCALS], heard.mix) if known else ()
    chords = find_chords(heard, chord_method)
    form = Form(
        chords=tuple(chords),
        chord_method=chord_method if chords else None,
        singing=singing,
        singing_known=known,
    )
    edges_s = bar_edges_s(heard.rhythm.downbeats_s, heard.duration_s)
    if not FEWEST_BARS <= len(edges_s) - 1 <= MOST_BARS:
        return form
    features = bar_features(edges_s, heard.sounds, heard.harmony, heard.onsets)
    return _with_bars(form, features, heard.rhythm.bar_confidence)


def find_chords(heard: Heard, method: ChordMethod) -> Sequence[ChordSpan]:
    """Find the chords on the beats of a song."""
    edges_s = beat_edges_s(heard.rhythm.beats_s, heard.duration_s)
    if not len(edges_s):
        return ()
    if method == "network":
        from mashup_worker.analysis.form.chord_network import network_chords

        chords = network_chords(heard.mix, edges_s)
    else:
        chords = template_chords(heard.harmony, edges_s)
    return chord_spans(chords, edges_s, heard.rhythm.downbeats_s)


def _with_bars(form: Form, features: BarFeatures, bar_confidence: float) -> Form:
    odds = boundary_log_odds(features)
    found = spans_of(divided(odds))
    spans, letters = joined(found, letters_of(features, found))
    roles = roles_of(features, spans, letters, form.singing if form.singing_known else None)
    sure = np.concatenate([[1.0], share(odds), [1.0]])
    bars = _bars(features, form.chords)
    sections = tuple(
        Section(
            start_s=float(features.edges_s[part.start]),
            stop_s=float(features.edges_s[part.stop]),
            label=letter,
            confidence=float(min(sure[part.start], sure[part.stop])),
            role=role,
            role_confidence=role_confidence,
        )
        for part, letter, (role, role_confidence) in zip(spans, letters, roles, strict=True)
    )
    return Form(
        sections=sections,
        chords=form.chords,
        chord_method=form.chord_method,
        singing=form.singing,
        singing_known=form.singing_known,
        bars=bars,
        loops=find_loops(features, spans, form.singing),
        cue_points=find_cue_points(sections, bars, bar_confidence),
    )


def _bars(features: BarFeatures, chords: Sequence[ChordSpan]) -> tuple[Bar, ...]:
    levels, edges = features.total_db.tolist(), features.edges_s.tolist()
    stems: dict[str, list[float]] = {
        kind: features.relative_db(power).tolist()
        for kind, power in features.powers.items()
        if kind in STEM_KINDS
    }
    bars = []
    for index, level_db in enumerate(levels):
        chord, sure = chord_at(chords, edges[index], edges[index + 1]) or (None, 0.0)
        stems_db: dict[str, float] = {kind: one[index] for kind, one in stems.items()}
        # Loudness doubles with every 10 dB.
        bars.append(Bar(edges[index], 2 ** (level_db / 10), level_db, chord, sure, stems_db))
    return tuple(bars)
