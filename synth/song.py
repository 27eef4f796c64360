"""A song and its truth: tempo, beats, bars and key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mashup_worker.audio.signal import Audio


@dataclass(frozen=True)
class Span:
    """Part of a song with a label."""

    start_s: float
    stop_s: float
    label: str


@dataclass(frozen=True)
class Truth:
    """Result of a perfect analysis.

    Attributes:
        tempo_bpm: beats a minute at the metrical level that a musician would tap.
        beats_s: times of all beats between the first sound and the last, in seconds.
        downbeats_s: those of them that begin a bar.
        beats_per_bar: 2, 3, 4, 5 or 7.
        key: tonic and mode, such as `"A minor"` or `"Eb major"`; None where there is no harmony.
        tuning_cents: how far A lies from 440 Hz, -50 to 50.
        has_drums: whether drums play in at least half of the song.
        style: the kind of music, for tables.
        sections: parts of the song by kind, such as `verse`, from the first bar to the end of the
            last; empty where they are unknown. Neighbors without an audible difference are
            one, and the last section includes a closing bar.
        chords: chords in the syntax of C. Harte, such as `"A:min7"`, over the same time. `N` is a
            part without pitched instruments, and `X` one in which the bass alone plays.
        singing_s: starts and stops of the singing, in order.
    """

    tempo_bpm: float
    beats_s: tuple[float, ...]
    downbeats_s: tuple[float, ...]
    beats_per_bar: int
    key: str | None
    tuning_cents: float
    has_drums: bool
    style: str
    sections: tuple[Span, ...] = ()
    chords: tuple[Span, ...] = ()
    singing_s: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Song:
    """A rendered song.

    Attributes:
        name: names the song in tables; the same seed gives the same song.
        mix: the finished song, stereo at 44.1 kHz.
        stems: what the mix is the sum of, by kind (`vocals`, `drums`, `bass`, `other`); kinds that
            don't play are left out.
        truth: its tempo, beats, bars and key.
    """

    name: str
    mix: Audio
    stems: Mapping[str, Audio]
    truth: Truth
