"""Results of the analysis of the form of a song."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Role = Literal["intro", "verse", "chorus", "drop", "break", "outro"]
ROLES: tuple[Role, ...] = get_args(Role)

CueKind = Literal["first downbeat", "mix in", "mix out", "drop", "break"]


@dataclass(frozen=True)
class Section:
    """Bars that belong together.

    Attributes:
        start_s: start of its first bar.
        stop_s: end of its last bar.
        label: letter, from A in order of appearance; sections that repeat each other share one.
        confidence: that it starts and ends here, 0 to 1.
        role: its role in the song.
        role_confidence: share of the role among all, 0 to 1.
    """

    start_s: float
    stop_s: float
    label: str
    confidence: float
    role: Role | None = None
    role_confidence: float = 0.0


@dataclass(frozen=True)
class ChordSpan:
    """Chord that sounds from one beat to another.

    Attributes:
        start_s: time of its first beat.
        stop_s: end of its last beat.
        label: root and quality in the syntax of C. Harte, such as `"A:min"`, `"C:maj"` or
            `"G:7"`; `"N"` for no chord.
        confidence: mean share of the chord among all, 0 to 1.
    """

    start_s: float
    stop_s: float
    label: str
    confidence: float


@dataclass(frozen=True)
class SingingInterval:
    """Time with singing, with a confidence from 0 to 1."""

    start_s: float
    stop_s: float
    confidence: float


@dataclass(frozen=True)
class Bar:
    """Bar of a song.

    Attributes:
        start_s: time of its downbeat.
        energy: loudness between the quietest and the loudest bar of the song, 0 to 1.
        level_db: level relative to the loudest bar.
        chord: the chord that sounds longest in it; None where no chords are known.
        chord_confidence: share of the bar in which it sounds, times its confidence, 0 to 1.
        stems_db: level of each stem relative to the loudest bar of the song, at least -60 dB;
            empty for a song without stems.
    """

    start_s: float
    energy: float
    level_db: float
    chord: str | None = None
    chord_confidence: float = 0.0
    stems_db: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Loop:
    """Bars that can be repeated without a seam.

    Attributes:
        start_s: start of the first bar.
        stop_s: end of the last bar.
        bars: length.
        confidence: how alike the bars around its two ends are, 0 to 1.
    """

    start_s: float
    stop_s: float
    bars: int
    confidence: float


@dataclass(frozen=True)
class CuePoint:
    """Place to start or to mix from, with a confidence from 0 to 1."""

    time_s: float
    kind: CueKind
    confidence: float


@dataclass(frozen=True)
class Form:
    """Form of a song; empty where it cannot be determined.

    Attributes:
        sections: from the first bar to the last, in order.
        chords: spans on beats, in order.
        chord_method: `network` or `template`; None without chords.
        singing: times with singing, in order.
        singing_known: whether the song came with a stem of its vocals.
        bars: energy and chord of each bar.
        loops: bars that repeat without a seam, best first.
        cue_points: in order of time.
    """

    sections: tuple[Section, ...] = ()
    chords: tuple[ChordSpan, ...] = ()
    chord_method: Literal["network", "template"] | None = None
    singing: tuple[SingingInterval, ...] = ()
    singing_known: bool = False
    bars: tuple[Bar, ...] = ()
    loops: tuple[Loop, ...] = ()
    cue_points: tuple[CuePoint, ...] = ()


def rounded(value: Any) -> dict[str, Any]:
    """Return a result as a JSON object, with times in 0.1 ms and shares in thousandths."""
    return {name: _rounded(item, name) for name, item in vars(value).items()}


def _rounded(item: Any, name: str) -> Any:
    if isinstance(item, Mapping):
        return {key: round(one, 1) for key, one in item.items()}
    return round(item, 4 if name.endswith("_s") else 3) if isinstance(item, float) else item
