"""Choice of the bars of a backing song that play under each phrase of a mashup.

The best path through the song is found: bars whose energy, chords and section suit the voice over
them, with few jumps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mashup_worker.mixing.planning.chord_agreement import agreement_at
from mashup_worker.mixing.planning.phrases import Phrase
from mashup_worker.mixing.song import BASS, DRUMS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.analysis.arrays import Array, Indices
    from mashup_worker.analysis.form.result import Role, Section
    from mashup_worker.mixing.planning.song_form import SongForm
    from mashup_worker.mixing.song import MixSong

_ENERGY, _CHORDS, _ROLE, _BOUNDARY, _ACROSS, _RHYTHM = 1.0, 1.5, 0.3, 0.4, 0.2, 0.3
_JUMP, _JUMP_AT_BOUNDARY, _REPEAT = 0.4, 0.15, 0.3
_FAINT_DB = -12.0
"""Mean level of bars, relative to the loudest phrase, below which they carry no voice."""

_PEAKS: tuple[Role, ...] = ("chorus", "drop")
_OWN_ROLES = {"intro": "intro", "break": "break", "outro": "outro"}


@dataclass(frozen=True)
class Need:
    """What a phrase of the mashup needs of its backing.

    Attributes:
        role: `intro`, `vocals`, `break` or `outro`.
        phrase: phrase that is sung; None where vocals rest.
        section: section of the vocal song that it belongs to; None where it is unknown.
        turns: whether a section of the mashup begins here.
        before, after: whether the music before it and after it is needed for a transition.
    """

    role: str
    phrase: Phrase | None
    section: Section | None
    turns: bool
    before: bool = False
    after: bool = False


@dataclass(frozen=True)
class Choice:
    """Bars chosen for a phrase of the mashup, and how well they suit it.

    Attributes:
        phrase: bars of the backing song.
        section: section that most of them belong to.
        energies: energy of the voice's song and of these bars, 0 to 1; None without a voice.
        agreement: agreement of the chords; None without a voice or pitch.
    """

    phrase: Phrase
    section: Section | None
    energies: tuple[float, float] | None = None
    agreement: float | None = None


@dataclass(frozen=True, eq=False)
class BackingChooser:
    """Chooser of the bars of one backing song.

    Attributes:
        song, form: the backing song.
        vocals: form of the vocal song; None where it is unknown.
        source_bars: bars of the backing song in a phrase.
        shift: semitones by which the vocal song moves up against this song; None where this song
            has no pitch.
    """

    song: MixSong
    form: SongForm
    vocals: SongForm | None
    source_bars: int
    shift: int | None

    def choose(self, needs: Sequence[Need]) -> list[Choice]:
        """Return the bars for each phrase of the mashup."""
        starts = self._starts()
        scores = np.stack([self._scores(need, starts) for need in needs])
        best, origins = scores[0], []
        for need, row in zip(needs[1:], scores[1:], strict=True):
            moves = best[:, None] - self._costs(starts, need)
            origins.append(moves.argmax(axis=0))
            best = np.round(moves.max(axis=0) + row, 9)
        path = [int(best.argmax())]
        for origin in reversed(origins):
            path.append(int(origin[path[-1]]))
        chosen = [int(starts[index]) for index in reversed(path)]
        return [self._choice(need, at) for need, at in zip(needs, chosen, strict=True)]

    def best_scores(self, needs: Sequence[Need]) -> list[float]:
        """Return the score of the best bars for each phrase alone."""
        starts = self._starts()
        return [float(self._scores(need, starts).max()) for need in needs]

    def _starts(self) -> Indices:
        """Return the first bars of phrases that are loud enough for a voice."""
        every = np.arange(self.form.bars - self.source_bars + 1)
        power = 10 ** (self.form.level_db / 10)
        sums = np.cumsum(np.append(0.0, power))
        means = sums[every + self.source_bars] - sums[every]
        return np.asarray(every[means >= means.max() * 10 ** (_FAINT_DB / 10)])

    def _scores(self, need: Need, starts: Indices) -> Array:
        size, form = self.source_bars, self.form
        score = np.zeros(len(starts))
        if need.phrase is not None and self.vocals is not None:
            sung = need.phrase.from_bar, need.phrase.source_bars
            wanted = self.vocals.mean_energy(*sung)
            energy = np.array([form.mean_energy(float(at), size) for at in starts])
            score -= _ENERGY * np.abs(energy - wanted)
            if self.shift is not None:
                score += _CHORDS * agreement_at(self.vocals, sung, form, starts, size, self.shift)
        score += _ROLE * np.array([self._role_score(need, int(at)) for at in starts])
        inside = np.array([form.boundary[at + 1 : at + size].max(initial=0.0) for at in starts])
        score -= _ACROSS * inside
        if need.turns:
            score += _BOUNDARY * form.boundary[starts]
        if need.role == "vocals":
            score -= _RHYTHM * np.array([self._missing_rhythm(int(at)) for at in starts])
        if need.role == "outro":
            score += _BOUNDARY * (starts + size == form.bars)
        room = (not need.before) | (starts >= size / 2)
        room &= (not need.after) | (starts + 1.5 * size <= form.bars)
        return np.asarray(np.round(score - 10.0 * ~room, 9))

    def _role_score(self, need: Need, start: int) -> float:
        section = self.form.section_of(start, self.source_bars)
        role = section.role if section else None
        if need.role in _OWN_ROLES:
            return float(role == _OWN_ROLES[need.role])
        if need.section is None or need.section.role is None or role is None:
            return 0.0
        return float((need.section.role in _PEAKS) == (role in _PEAKS))

    def _missing_rhythm(self, start: int) -> float:
        rhythm = [kind for kind in (DRUMS, BASS) if kind in self.song.stems]
        silent = [
            kind
            for kind in rhythm
            if not self.song.is_playing(kind, start, start + self.source_bars)
        ]
        return len(silent) / max(1, len(rhythm))

    def _costs(self, starts: Indices, need: Need) -> Array:
        """Return the cost of going from each phrase to each other, `(starts, starts)`."""
        distance = starts[None] - starts[:, None]
        jump = _JUMP_AT_BOUNDARY if need.turns else _JUMP
        costs = np.full(distance.shape, jump)
        costs[distance == 0] = max(_REPEAT, jump)
        costs[distance == self.source_bars] = 0.0
        return costs

    def _choice(self, need: Need, start: int) -> Choice:
        size = self.source_bars
        phrase = Phrase(float(start), float(size))
        section = self.form.section_of(start, size)
        if need.phrase is None or self.vocals is None:
            return Choice(phrase, section)
        sung = need.phrase.from_bar, need.phrase.source_bars
        energies = self.vocals.mean_energy(*sung), self.form.mean_energy(start, size)
        agreement = None
        if self.shift is not None:
            found = agreement_at(self.vocals, sung, self.form, np.array([start]), size, self.shift)
            agreement = float(found[0])
        return Choice(phrase, section, energies, agreement)
