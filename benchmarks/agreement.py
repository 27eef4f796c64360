"""Agreement of an analysis with other libraries that analyzed the same recordings.

Recordings without annotations give no accuracy. A result is most likely right where libraries agree
that share no code:

- tempi are agreed where those of the beats of two references are the same within 1 %;
- beats are agreed where those of two references have an F-measure of at least 0.8 within 70 ms;
- keys are agreed where more than half of the references give the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise, permutations
from typing import TYPE_CHECKING, Any

import mir_eval
import numpy as np

from benchmarks.scores import Times, beat_f, key_score, level

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

OURS = "mashup_worker"
TEMPO_TOLERANCE = 0.01
AGREED_F = 0.8
OFF_BEAT = 0.35
"""Median distance to the nearest beat, in beats, from which beats count as half a beat off."""

CONFIDENCES = (0.0, 0.5, 0.8, 0.95, 1.01)
PULSE_HEADINGS = ("", "against", "count", "tempo", "up to level", "beat F", "half a beat off")
KEY_HEADINGS = ("against", "count", "key", "key weighted")
CONFIDENCE_HEADINGS = ("confidence", "tempo", "beats on the beat", "beat F 0.8 or more", "key")
DIFFERENCE_HEADINGS = (
    "file",
    "difference",
    "ours",
    "confidences of tempo, beats, key",
    "references",
)


@dataclass(frozen=True, eq=False)
class Pulse:
    """Tempo and beats of a recording by one library."""

    tempo_bpm: float
    beats_s: Times

    @classmethod
    def of(cls, beats_s: Sequence[float] | Times, tempo_bpm: float | None = None) -> Pulse:
        """Take beats from 5 s on, and their tempo where none is given: some libraries round it."""
        times = np.sort(np.asarray(beats_s, dtype=np.float64))
        return cls(tempo_bpm or tempo_of(times), np.asarray(mir_eval.beat.trim_beats(times)))

    def level_of(self, tempo_bpm: float) -> float | None:
        """Return which of `LEVELS` this is of a tempo within 1 %, if any."""
        return level(self.tempo_bpm / tempo_bpm, TEMPO_TOLERANCE) if tempo_bpm else None


@dataclass(frozen=True, eq=False)
class Recording:
    """Analysis of a recording and its references.

    Attributes:
        name: path in the folder.
        ours: the analysis, as of `Analysis.as_dict`.
        pulses: tempo and beats by library.
        keys: keys by library or profile.
    """

    name: str
    ours: Mapping[str, Any]
    pulses: Mapping[str, Pulse]
    keys: Mapping[str, str]

    @cached_property
    def pulse(self) -> Pulse:
        """Tempo and beats of the analysis."""
        return Pulse.of(self.ours["beats_s"], self.ours["tempo_bpm"])

    @cached_property
    def agreed_tempo_bpm(self) -> float | None:
        """Tempo on which references agree."""
        return agreed_tempo(self.pulses.values())

    @cached_property
    def agreed_pulse(self) -> Pulse | None:
        """Beats on which references agree."""
        return agreed_pulse(self.pulses.values())

    @cached_property
    def agreed_key(self) -> str | None:
        """Key on which references agree."""
        return agreed_key(list(self.keys.values()))


def tempo_of(beats_s: Times) -> float:
    """Return the tempo of beats, from their intervals within 10 % of the median; 0 for too few."""
    intervals = np.diff(beats_s)
    if not len(intervals):
        return 0.0
    usual = np.median(intervals)
    return float(60 / intervals[np.abs(intervals / usual - 1) <= 0.1].mean())


def half_off(own_s: Times, other_s: Times) -> bool:
    """Return whether most beats lie midway between the other's, at its level or a slower one."""
    if len(other_s) < 2:
        return False
    inside = own_s[(own_s >= other_s[0]) & (own_s <= other_s[-1])]
    position = np.interp(inside, other_s, np.arange(len(other_s)))
    return bool(len(inside) and np.median(np.abs(position - position.round())) >= OFF_BEAT)


def agreed_tempo(pulses: Iterable[Pulse]) -> float | None:
    """Return the median of the tempi that most references share within 1 %; None without two."""
    tempi = np.array([pulse.tempo_bpm for pulse in pulses])
    groups = [tempi[np.abs(tempi / one - 1) <= TEMPO_TOLERANCE] for one in tempi if one]
    largest = max(groups, key=len, default=tempi[:0])
    return float(np.median(largest)) if len(largest) > 1 else None


def agreed_pulse(pulses: Iterable[Pulse]) -> Pulse | None:
    """Return the reference that agrees best with another; None where no two agree on beats."""
    scored = [(beat_f(two.beats_s, one.beats_s), one) for one, two in permutations(pulses, 2)]
    best = max(scored, key=lambda pair: pair[0], default=None)
    return best[1] if best and best[0] >= AGREED_F else None


def agreed_key(keys: Sequence[str]) -> str | None:
    """Return the key that more than half of the references give, if any."""
    votes = [sum(key_score(key, other) == 1 for other in keys) for key in keys]
    return next((key for key, n in zip(keys, votes, strict=True) if n > len(keys) / 2), None)


def pulse_rows(found: Sequence[Recording]) -> list[list[str]]:
    """Lines of the table of tempi and beats: the analysis and the references against references."""
    names = sorted({name for one in found for name in one.pulses})
    tempi = [one.pulse.level_of(bpm) for one in found if (bpm := one.agreed_tempo_bpm)]
    beats = [(one.pulse, agreed) for one in found if (agreed := one.agreed_pulse)]
    rows = [
        [OURS, "agreed tempo", *_level_cells(tempi), "", ""],
        _pulse_row(OURS, "agreed beats", beats),
    ]
    for name in names:
        pairs = [(one.pulse, one.pulses[name]) for one in found if name in one.pulses]
        rows.append(_pulse_row(OURS, name, pairs))
    for own, other in combinations(names, 2):
        both = [one.pulses for one in found if {own, other} <= set(one.pulses)]
        rows.append(_pulse_row(own, other, [(one[own], one[other]) for one in both]))
    return rows


def _pulse_row(own: str, other: str, pairs: Sequence[tuple[Pulse, Pulse]]) -> list[str]:
    levels = [one.level_of(two.tempo_bpm) for one, two in pairs]
    beats = [beat_f(two.beats_s, one.beats_s) for one, two in pairs]
    off = sum(half_off(one.beats_s, two.beats_s) for one, two in pairs)
    return [own, other, *_level_cells(levels), _mean(beats), str(off)]


def _level_cells(levels: Sequence[float | None]) -> list[str]:
    same, related = ([one == 1.0 for one in levels], [one is not None for one in levels])
    return [str(len(levels)), _share(same), _share(related)]


def key_rows(found: Sequence[Recording]) -> list[list[str]]:
    """Lines of the table of keys: the analysis against the agreed keys and each reference."""
    names = sorted({name for one in found for name in one.keys})
    columns = {"agreed key": [one.agreed_key for one in found]}
    columns |= {name: [one.keys.get(name) for one in found] for name in names}
    rows = []
    for name, keys in columns.items():
        pairs = zip(keys, found, strict=True)
        scores = [key_score(key, one.ours["key"]) for key, one in pairs if key]
        rows.append([name, str(len(scores)), _share([one == 1 for one in scores]), _mean(scores)])
    return rows


def confidence_rows(found: Sequence[Recording]) -> list[list[str]]:
    """Lines of the table of confidences: how many results of each are as agreed."""
    judged: list[list[tuple[float, bool]]] = [[], [], [], []]
    for one in found:
        tempo, beat, key = confidences(one)
        if one.agreed_tempo_bpm:
            judged[0].append((tempo, one.pulse.level_of(one.agreed_tempo_bpm) == 1.0))
        if one.agreed_pulse:
            own_s, agreed_s = one.pulse.beats_s, one.agreed_pulse.beats_s
            judged[1].append((beat, not half_off(own_s, agreed_s)))
            judged[2].append((beat, beat_f(agreed_s, own_s) >= AGREED_F))
        if one.agreed_key:
            judged[3].append((key, key_score(one.agreed_key, one.ours["key"]) == 1))
    rows = []
    for low, high in pairwise(CONFIDENCES):
        bins = [[right for value, right in pairs if low <= value < high] for pairs in judged]
        cells = [f"{_share(one)} of {len(one)}" for one in bins]
        rows.append([f"{low:g} to {min(high, 1):g}", *cells])
    return rows


def confidences(one: Recording) -> tuple[float, float, float]:
    """Return the confidences of tempo, beats and key."""
    ours = one.ours
    return ours["tempo_confidence"], ours["beat_confidence"], ours["key_confidence"]


def difference_rows(found: Sequence[Recording]) -> list[list[str]]:
    """Lines of a table of the recordings whose analysis disagrees with references."""
    rows = []
    for one in found:
        agreed_bpm, agreed, ratio = one.agreed_tempo_bpm, one.agreed_pulse, 1.0
        if agreed_bpm and one.pulse.level_of(agreed_bpm) != 1.0:
            ratio = one.pulse.tempo_bpm / agreed_bpm
        reasons = {
            f"tempo times {ratio:.3g}": ratio != 1.0,
            "half a beat off": agreed and half_off(one.pulse.beats_s, agreed.beats_s),
            "key": one.keys
            and not any(key_score(k, one.ours["key"]) == 1 for k in one.keys.values()),
        }
        if any(reasons.values()):
            given = [f"{name} {pulse.tempo_bpm:.2f}" for name, pulse in one.pulses.items()]
            given += [f"{name} {key}" for name, key in one.keys.items()]
            rows.append(
                [
                    one.name,
                    ", ".join(reason for reason, holds in reasons.items() if holds),
                    f"{one.pulse.tempo_bpm:.2f}, {one.ours['key']}",
                    ", ".join(f"{value:.2f}" for value in confidences(one)),
                    ", ".join(given),
                ]
            )
    return rows


def _share(flags: Sequence[bool]) -> str:
    return f"{100 * np.mean(flags):.1f} %" if flags else "-"


def _mean(values: Sequence[float]) -> str:
    return f"{np.mean(values):.3f}" if values else "-"
