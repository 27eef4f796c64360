"""Search of seed tracks: bars of their analyses that a query describes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from mashup_worker.analysis.result import Analysis
from mashup_worker.mixing.keys import camelot_distance
from mashup_worker.seed.query import DEFAULT_BARS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mashup_worker.analysis.form.result import Bar, Section
    from mashup_worker.seed.query import Query
    from mashup_worker.seed.record import SeedRecord

_ANALYSES = TypeAdapter(Analysis)
_VOCALS = "vocals"
_QUIET_BELOW_DB = 20.0
"""A stem this far below the other sound of its bar is taken as silent; separation leaks so much."""

_LEAKS_BELOW_DB, _LEAKS_BELOW_OWN_DB = 8.0, 10.0
"""A stem is also silent that is this far below the other sound, and this far below its own level in
its loudest tenth of bars: models of few parameters leave the low notes of a kick in the bass."""

_SOFTEST_DB = -40.0
"""Level of the softest stem that plays, relative to the loudest bar of the song."""

_SUNG, _UNSUNG = 0.25, 0.05
"""Least share of singing in a sung bar, and the largest in an unsung bar."""


@dataclass(frozen=True, kw_only=True)
class Passage:
    """Bars of a seed track that a query describes.

    Attributes:
        start_s: start of the first bar.
        stop_s: end of the last bar.
        bars: number of bars.
        section: section that the middle belongs to; None where it is unknown.
        key_distance: steps on the Camelot wheel from the key asked for; 0 without one.
        confidence: the lowest of those of tempo, key, role, singing and loop that count.
    """

    record: SeedRecord
    analysis: Analysis
    start_s: float
    stop_s: float
    bars: int
    section: Section | None
    key_distance: int
    confidence: float

    def as_dict(self) -> dict[str, Any]:
        """Return the passage as JSON values, with keys of stems in the library."""
        section = self.section
        return {
            "title": self.record.title,
            "sha256": self.record.sha256,
            "source": self.record.sources[0].name,
            "start_s": round(self.start_s, 4),
            "stop_s": round(self.stop_s, 4),
            "bars": self.bars,
            "tempo_bpm": self.analysis.tempo_bpm,
            "key": self.analysis.key,
            "camelot": self.analysis.camelot,
            "section": section and {"label": section.label, "role": section.role},
            "confidence": round(self.confidence, 3),
            "stems": {stem.kind: stem.key for stem in self.record.stems},
        }


@dataclass(frozen=True)
class Found:
    """Passages, the best first, and the songs that could not be searched.

    Attributes:
        songs: number of all songs.
        outdated: titles of songs whose analyses have no form.
        unknown: titles of songs of which too few stems were stored to show which of them play.
    """

    passages: tuple[Passage, ...]
    songs: int
    outdated: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def search(records: Iterable[SeedRecord], query: Query) -> Found:
    """Find the passages of songs that a query describes.

    The order is that of the distance of their keys, then of confidence, then of title and time.
    """
    passages: list[Passage] = []
    outdated, unknown, songs = [], [], 0
    for record in records:
        songs += 1
        analysis = analysis_of(record)
        if analysis is None:
            outdated.append(record.title)
        elif query.needs_stems and analysis.bars and not analysis.bars[0].stems_db:
            unknown.append(record.title)
        else:
            passages += _passages(record, analysis, query)
    ordered = sorted(
        passages,
        key=lambda one: (
            one.key_distance,
            -round(one.confidence, 2),
            one.record.title,
            one.start_s,
        ),
    )
    return Found(tuple(ordered), songs, tuple(outdated), tuple(unknown))


def analysis_of(record: SeedRecord) -> Analysis | None:
    """Return the analysis of a seed track; None if it is older than sections and singing."""
    if record.settings.analysis is None:
        return None
    try:
        return _ANALYSES.validate_python(record.analysis)
    except ValidationError:
        return None


def _passages(record: SeedRecord, analysis: Analysis, query: Query) -> Iterator[Passage]:
    sure = []
    if query.tempo_bpm is not None:
        low, high = query.tempo_bpm
        if analysis.tempo_bpm is None or not low <= analysis.tempo_bpm <= high:
            return
        sure.append(analysis.tempo_confidence)
    distance = 0
    if query.key is not None:
        if analysis.key is None or analysis.key not in query.keys:
            return
        distance = camelot_distance(analysis.key, query.key)
        sure.append(analysis.key_confidence)
    song = _Song(analysis)
    for first, stop, confidence in song.spans(query):
        section = song.section_at((first + stop) // 2)
        found = [*sure, *confidence]
        yield Passage(
            record=record,
            analysis=analysis,
            start_s=song.edges_s[first],
            stop_s=song.edges_s[stop],
            bars=stop - first,
            section=section,
            key_distance=distance,
            confidence=min(found, default=1.0),
        )


class _Song:
    """Bars of a song, with what sounds in each."""

    def __init__(self, analysis: Analysis) -> None:
        self.analysis, self.bars = analysis, analysis.bars
        stop_s = analysis.sections[-1].stop_s if analysis.sections else analysis.duration_s
        self.edges_s = [*(bar.start_s for bar in self.bars), stop_s]
        kinds = self.bars[0].stems_db if self.bars else ()
        self.own_db = {kind: self._loud_db(kind) for kind in kinds}
        self.sung = [
            _shared_s(analysis, start_s, end_s) / max(end_s - start_s, 1e-9)
            for start_s, end_s in zip(self.edges_s, self.edges_s[1:], strict=False)
        ]

    def _loud_db(self, kind: str) -> float:
        levels_db = sorted((bar.stems_db[kind] for bar in self.bars), reverse=True)
        return levels_db[len(levels_db) // 10]

    def section_at(self, bar: int) -> Section | None:
        """Return the section that a bar belongs to."""
        middle_s = (self.edges_s[bar] + self.edges_s[bar + 1]) / 2
        sections = self.analysis.sections
        return next((one for one in sections if one.start_s <= middle_s < one.stop_s), None)

    def spans(self, query: Query) -> Iterator[tuple[int, int, list[float]]]:
        """Yield the first bar, the bar after the last, and the confidences of each span."""
        fits = self._fitting(query)
        if query.loops:
            for loop in self.analysis.loops:
                first, stop = self._bar_at(loop.start_s), self._bar_at(loop.stop_s)
                if query.bars in (None, stop - first) and all(fits[first:stop]):
                    yield first, stop, [loop.confidence, *self._confidences(query, first, stop)]
            return
        for first, stop in _runs(fits):
            if stop - first >= (query.bars or DEFAULT_BARS):
                yield first, stop, self._confidences(query, first, stop)

    def _fitting(self, query: Query) -> list[bool]:
        sounds = [self._sounds_right(bar, index, query) for index, bar in enumerate(self.bars)]
        if _VOCALS in query.kinds:  # a breath of less than a bar does not end a phrase
            sounds = [
                sound and (self.sung[index] >= _SUNG or self._between_sung(index))
                for index, sound in enumerate(sounds)
            ]
        if not query.roles:
            return sounds
        sections = [self.section_at(index) for index in range(len(self.bars))]
        return [
            sound and section is not None and section.role in query.roles
            for sound, section in zip(sounds, sections, strict=True)
        ]

    def _between_sung(self, index: int) -> bool:
        around = self.sung[max(0, index - 1) : index], self.sung[index + 1 : index + 2]
        return all(part and part[0] >= _SUNG for part in around)

    def _sounds_right(self, bar: Bar, index: int, query: Query) -> bool:
        levels = bar.stems_db
        instruments = query.kinds - {_VOCALS}
        if not all(levels.get(kind, -99.0) > _SOFTEST_DB for kind in instruments):
            return False
        quiet = query.without
        if query.alone:
            quiet = quiet | (levels.keys() - query.kinds)
        if _VOCALS in quiet and self.analysis.singing_known and self.sung[index] > _UNSUNG:
            return False
        loudest_db = max((levels[kind] for kind in levels if kind not in quiet), default=-99.0)
        return all(self._is_silent(kind, bar, loudest_db) for kind in quiet)

    def _is_silent(self, kind: str, bar: Bar, loudest_db: float) -> bool:
        level_db = bar.stems_db.get(kind, -99.0)
        leaks = (
            level_db < loudest_db - _LEAKS_BELOW_DB
            and level_db < self.own_db.get(kind, -99.0) - _LEAKS_BELOW_OWN_DB
        )
        return leaks or level_db < max(loudest_db - _QUIET_BELOW_DB, _SOFTEST_DB)

    def _confidences(self, query: Query, first: int, stop: int) -> list[float]:
        found = []
        if query.roles:
            sections = {id(one): one for one in map(self.section_at, range(first, stop)) if one}
            found += [one.role_confidence for one in sections.values()]
        if _VOCALS in query.kinds:
            start_s, stop_s = self.edges_s[first], self.edges_s[stop]
            found += [
                one.confidence
                for one in self.analysis.singing
                if one.start_s < stop_s and start_s < one.stop_s
            ]
        return found

    def _bar_at(self, time_s: float) -> int:
        return min(range(len(self.edges_s)), key=lambda index: abs(self.edges_s[index] - time_s))


def _shared_s(analysis: Analysis, start_s: float, stop_s: float) -> float:
    shared = (min(one.stop_s, stop_s) - max(one.start_s, start_s) for one in analysis.singing)
    return sum(one for one in shared if one > 0)


def _runs(fits: Sequence[bool]) -> Iterator[tuple[int, int]]:
    for fit, run in groupby(enumerate(fits), key=lambda one: one[1]):
        if fit:
            places = [index for index, _ in run]
            yield places[0], places[-1] + 1
