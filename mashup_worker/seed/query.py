"""Queries for bars of seed tracks, such as `drums alone for 4 bars at 85-100 BPM`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mashup_worker.analysis.form.result import ROLES, Role
from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.keys import keys_near, parse_key
from mashup_worker.vocabulary import STEM_KINDS, TEMPO_BPM

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_BARS = 4
"""Fewest bars where a query gives no number."""

_TEMPO_TOLERANCE = 0.02
_MOST_BARS = 1_000
_FAR, _NEIGHBOR = 0, 1
_SYNONYMS = {**dict.fromkeys(("voice", "voices", "vocal", "singing"), "vocals"), "drum": "drums"}
_KINDS: dict[str, str] = dict(zip(STEM_KINDS, STEM_KINDS, strict=True)) | _SYNONYMS
_EXAMPLES = (
    f'write {", ".join(STEM_KINDS)}, loop, {", ".join(ROLES)}, "alone", "without voice", '
    '"for 4 bars", "at 85-100 BPM", "in 8A", "in A minor" or "or next to it"'
)


@dataclass(frozen=True, kw_only=True)
class Query:
    """What to find.

    Attributes:
        kinds: stems that play.
        without: stems that do not sound.
        alone: whether no other stem than `kinds` sounds.
        loops: whether to find bars that repeat without a seam.
        bars: fewest bars, or the length of the loops; None for any.
        tempo_bpm: lowest and highest tempo.
        key: key of the song.
        near: whether the neighbors of the key on the Camelot wheel are found, too.
        roles: roles of sections, any of which the bars belong to.
    """

    kinds: frozenset[str] = field(default=frozenset())
    without: frozenset[str] = field(default=frozenset())
    alone: bool = False
    loops: bool = False
    bars: int | None = None
    tempo_bpm: tuple[float, float] | None = None
    key: str | None = None
    near: bool = False
    roles: frozenset[Role] = field(default=frozenset())

    @property
    def keys(self) -> list[str]:
        """Keys that are found; none for any."""
        return [] if self.key is None else keys_near(self.key, _NEIGHBOR if self.near else _FAR)

    @property
    def needs_stems(self) -> bool:
        """Whether it asks which stems sound."""
        return bool(self.kinds or self.without or self.alone)


def parse_query(text: str) -> Query:
    """Parse a query.

    Raises:
        InvalidInput: a word is not understood, something is stated twice or contradicts itself, or
            nothing is asked for; the message names the words.
    """
    found = _Parts()
    text, position = text.strip(" \t\n,;"), 0
    while position < len(text):
        position = _next(text, position, found)
    return _checked(found, text)


@dataclass
class _Parts:
    """Clauses of a query as they are read."""

    kinds: set[str] = field(default_factory=set)
    without: set[str] = field(default_factory=set)
    roles: set[Role] = field(default_factory=set)
    alone: bool = False
    loops: bool = False
    near: bool = False
    bars: int | None = None
    tempo_bpm: tuple[float, float] | None = None
    key: str | None = None

    def add_bars(self, match: re.Match[str]) -> None:
        if self.bars is not None:
            raise _twice("bars", match)
        self.bars = int(match["bars"])
        if not 1 <= self.bars <= _MOST_BARS:
            raise InvalidInput(f"query: {match[0]!r}: must be 1 to {_MOST_BARS} bars")

    def add_tempo(self, match: re.Match[str]) -> None:
        if self.tempo_bpm is not None:
            raise _twice("tempo", match)
        low = float(match["low"])
        around = low * (1 - _TEMPO_TOLERANCE), low * (1 + _TEMPO_TOLERANCE)
        self.tempo_bpm = (low, float(match["high"])) if match["high"] else around
        if low not in TEMPO_BPM or (match["high"] and not low <= float(match["high"])):
            limits = f"{TEMPO_BPM.low:g} to {TEMPO_BPM.high:g} BPM"
            raise InvalidInput(f"query: {match[0]!r}: must be a rising range within {limits}")

    def add_key(self, match: re.Match[str]) -> None:
        if self.key is not None:
            raise _twice("key", match)
        self.key = parse_key(match["key"])

    def add_near(self, _match: re.Match[str]) -> None:
        self.near = True

    def add_without(self, match: re.Match[str]) -> None:
        self.without.add(_KINDS[match["kind"].lower()])

    def add_alone(self, _match: re.Match[str]) -> None:
        self.alone = True

    def add_a_cappella(self, _match: re.Match[str]) -> None:
        self.kinds.add("vocals")
        self.alone = True

    def add_loops(self, _match: re.Match[str]) -> None:
        self.loops = True

    def add_role(self, match: re.Match[str]) -> None:
        self.roles.update(role for role in ROLES if match["role"].lower().startswith(role))

    def add_kind(self, match: re.Match[str]) -> None:
        self.kinds.add(_KINDS[match["kind"].lower()])

    def skip(self, _match: re.Match[str]) -> None:
        """Skip words that connect others."""


_NUMBER = r"\d{1,4}(?:\.\d{1,3})?"
_KIND = "|".join(sorted(_KINDS, key=len, reverse=True))
_PATTERNS: tuple[tuple[str, Callable[[_Parts, re.Match[str]], None]], ...] = (
    (r"(?:for )?(?P<bars>\d{1,4})[ -]bars?(?: long)?", _Parts.add_bars),
    (rf"(?:at )?(?P<low>{_NUMBER})(?: ?(?:-|to) ?(?P<high>{_NUMBER}))? ?bpm", _Parts.add_tempo),
    (r"or (?:in )?(?:a )?(?:next to (?:it|that)|neighbou?r(?:s|ing keys?)?)", _Parts.add_near),
    (
        r"(?:in |key )+(?P<key>\d{1,2} ?[AB]|[A-G][#b♯♭]? ?(?:major|minor|maj|min|m))",
        _Parts.add_key,
    ),
    (r"(?:in |key )+(?P<key>(?-i:[A-G])[#b♯♭]?)(?! (?:\w))", _Parts.add_key),
    (rf"(?:without|no) (?:any |an? )?(?P<kind>{_KIND})", _Parts.add_without),
    (r"a ?cappellas?|acapellas?", _Parts.add_a_cappella),
    (r"alone|only|solo", _Parts.add_alone),
    (r"loops?", _Parts.add_loops),
    (rf"(?P<role>(?:{'|'.join(ROLES)})(?:e?s)?)", _Parts.add_role),
    (rf"(?P<kind>{_KIND})", _Parts.add_kind),
    (r"and|or|with|from|of|in|at|for|an?|the|find|bars", _Parts.skip),
)
_CLAUSES = [
    (re.compile(rf"[\s,;]*(?:{pattern})(?![\w#♯♭])[\s,;]*", re.IGNORECASE), add)
    for pattern, add in _PATTERNS
]


def _next(text: str, position: int, found: _Parts) -> int:
    """Add the clause at a position; return where it ends."""
    for pattern, add in _CLAUSES:
        match = pattern.match(text, position)
        if match is not None and match.end() > position:
            add(found, match)
            return match.end()
    word = text[position:].split(maxsplit=1)
    raise InvalidInput(f"query: {word[0]!r} is not understood; {_EXAMPLES}")


def _checked(found: _Parts, text: str) -> Query:
    query = Query(
        kinds=frozenset(found.kinds),
        without=frozenset(found.without),
        alone=found.alone,
        loops=found.loops,
        bars=found.bars,
        tempo_bpm=found.tempo_bpm,
        key=found.key,
        near=found.near,
        roles=frozenset(found.roles),
    )
    if query == Query():
        raise InvalidInput(f"query: {text.strip()!r} asks for nothing; {_EXAMPLES}")
    if query.near and query.key is None:
        raise InvalidInput('query: "or next to it" needs a key; write "in 8A or next to it"')
    if query.alone and not query.kinds:
        raise InvalidInput('query: "alone" needs a stem; write "drums alone"')
    if both := query.kinds & query.without:
        kind = min(both)
        raise InvalidInput(f"query: both with and without {kind}; state one of them")
    return query


def _twice(what: str, match: re.Match[str]) -> InvalidInput:
    return InvalidInput(f"query: {match[0].strip()!r}: {what} stated twice; state it once")
