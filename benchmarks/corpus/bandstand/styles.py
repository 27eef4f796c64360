"""Kinds of music: how fast they go and who plays what in them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Style:
    """A kind of music.

    Attributes:
        name: for tables.
        weight: how often it is drawn, against the others.
        tempo_bpm: the slowest and the fastest tempo, at the level that a musician taps.
        flavour: of the harmony: `pop`, `rock`, `soul` or `folk`.
        comps: sets of accompanying parts, most important first; a song uses one set.
        basses: bass lines.
        bass_voices: what plays them.
        leads: what may play the melody.
        drums: whether there are any.
        three: share of songs in 3/4.
        swing8: range of the swing of eighths; 0.5 is straight.
        swing16: range of the swing of sixteenths.
        loose_ms: range over songs of how far notes lie off the grid at most.
        pump: share of songs whose band ducks at each kick.
        push: share of songs whose chords come an eighth early.
        lead: share of songs with a melody.
    """

    name: str
    weight: float
    tempo_bpm: tuple[float, float]
    flavour: str
    comps: tuple[tuple[str, ...], ...]
    basses: tuple[str, ...]
    bass_voices: tuple[str, ...]
    leads: tuple[str, ...] = ("lead", "bell", "guitar", "flute", "pluck")
    drums: bool = True
    three: float = 0.0
    swing8: tuple[float, float] = (0.5, 0.5)
    swing16: tuple[float, float] = (0.5, 0.5)
    loose_ms: tuple[float, float] = (3.0, 10.0)
    pump: float = 0.0
    push: float = 0.0
    lead: float = 0.8


STYLES = (
    Style(
        name="ballad",
        weight=6,
        tempo_bpm=(60, 85),
        flavour="soul",
        comps=(("block", "pad", "arp8"), ("keys", "pad", "strum"), ("arp8", "pad", "block")),
        basses=("roots", "ballad"),
        bass_voices=("sub", "finger"),
        swing16=(0.5, 0.58),
    ),
    Style(
        name="hip-hop",
        weight=6,
        tempo_bpm=(75, 105),
        flavour="soul",
        comps=(("keys", "pad", "stab"), ("stab", "pad", "arp8"), ("pad", "keys", "arp16")),
        basses=("synco", "roots", "dub"),
        bass_voices=("sub", "sub", "finger"),
        swing16=(0.53, 0.64),
        loose_ms=(2.0, 10.0),
        pump=0.2,
        lead=0.6,
    ),
    Style(
        name="reggae",
        weight=5,
        tempo_bpm=(65, 95),
        flavour="pop",
        comps=(("skank", "bubble"), ("skank", "pad"), ("skank", "bubble", "keys")),
        basses=("dub",),
        bass_voices=("sub", "finger"),
        swing16=(0.5, 0.6),
    ),
    Style(
        name="pop",
        weight=8,
        tempo_bpm=(95, 130),
        flavour="pop",
        comps=(("strum", "pad", "arp8"), ("block", "arp8", "pad"), ("stab", "pad", "arp16")),
        basses=("roots", "eighths", "synco"),
        bass_voices=("sub", "finger", "saw_bass"),
        loose_ms=(1.0, 10.0),
        pump=0.25,
        push=0.3,
    ),
    Style(
        name="rock",
        weight=7,
        tempo_bpm=(90, 160),
        flavour="rock",
        comps=(("power", "strum"), ("strum", "power", "organ"), ("power", "arp8", "organ")),
        basses=("eighths", "roots", "synco"),
        bass_voices=("finger", "saw_bass"),
        leads=("guitar", "lead"),
        push=0.25,
        lead=0.7,
    ),
    Style(
        name="disco",
        weight=7,
        tempo_bpm=(115, 130),
        flavour="soul",
        comps=(("stab", "pad", "chop"), ("piano", "pad", "arp16"), ("chop", "pad", "stab")),
        basses=("octaves", "offbeat", "synco"),
        bass_voices=("saw_bass", "finger", "sub"),
        loose_ms=(0.5, 6.0),
        pump=0.5,
        push=0.15,
    ),
    Style(
        name="trance",
        weight=6,
        tempo_bpm=(128, 145),
        flavour="pop",
        comps=(("arp16", "pad", "stab"), ("pad", "arp16"), ("stab", "arp16", "pad")),
        basses=("offbeat", "offbeat", "eighths"),
        bass_voices=("saw_bass", "sub", "reese"),
        leads=("lead", "pluck", "bell"),
        loose_ms=(0.2, 4.0),
        pump=0.7,
        lead=0.6,
    ),
    Style(
        name="funk",
        weight=5,
        tempo_bpm=(95, 120),
        flavour="soul",
        comps=(("chop", "keys"), ("chop", "organ", "stab"), ("keys", "chop")),
        basses=("funk",),
        bass_voices=("finger", "saw_bass"),
        swing16=(0.5, 0.57),
        push=0.2,
        lead=0.6,
    ),
    Style(
        name="shuffle",
        weight=5,
        tempo_bpm=(85, 140),
        flavour="soul",
        comps=(("block", "organ"), ("strum", "piano"), ("keys", "organ")),
        basses=("walk", "eighths", "walk"),
        bass_voices=("finger",),
        leads=("guitar", "flute", "lead"),
        swing8=(0.58, 0.68),
    ),
    Style(
        name="drum and bass",
        weight=4,
        tempo_bpm=(165, 180),
        flavour="pop",
        comps=(("pad", "stab", "arp8"), ("pad", "arp8"), ("keys", "pad")),
        basses=("reese", "roots"),
        bass_voices=("reese", "sub"),
        leads=("bell", "lead", "pluck"),
        loose_ms=(0.5, 5.0),
        lead=0.6,
    ),
    Style(
        name="punk",
        weight=4,
        tempo_bpm=(150, 190),
        flavour="rock",
        comps=(("power", "strum"), ("power",)),
        basses=("eighths",),
        bass_voices=("finger", "saw_bass"),
        leads=("guitar", "lead"),
        push=0.15,
        lead=0.6,
    ),
    Style(
        name="waltz",
        weight=6,
        tempo_bpm=(80, 180),
        flavour="folk",
        comps=(("block", "pad"), ("strum", "pad"), ("piano", "organ", "strum")),
        basses=("roots", "walk"),
        bass_voices=("finger", "sub"),
        three=1.0,
        swing8=(0.5, 0.64),
    ),
    Style(
        name="pop in three",
        weight=6,
        tempo_bpm=(80, 150),
        flavour="pop",
        comps=(("arp8", "pad", "block"), ("strum", "arp8", "pad"), ("keys", "pad")),
        basses=("roots", "eighths"),
        bass_voices=("sub", "finger", "saw_bass"),
        three=1.0,
    ),
    Style(
        name="acoustic",
        weight=8,
        tempo_bpm=(70, 140),
        flavour="folk",
        comps=(("fingers", "strum"), ("strum", "fingers"), ("broken",), ("strum", "piano")),
        basses=("roots",),
        bass_voices=("finger",),
        leads=("guitar", "flute"),
        drums=False,
        three=0.35,
        push=0.1,
        lead=0.6,
    ),
    Style(
        name="piano ballad",
        weight=7,
        tempo_bpm=(60, 110),
        flavour="pop",
        comps=(("broken", "pad"), ("block", "broken"), ("broken",)),
        basses=("roots",),
        bass_voices=("finger", "sub"),
        leads=("piano", "piano", "flute"),
        drums=False,
        three=0.3,
        lead=0.9,
    ),
    Style(
        name="ambient",
        weight=5,
        tempo_bpm=(70, 130),
        flavour="pop",
        comps=(("arp8", "pad"), ("arp16", "pad"), ("pad", "arp8", "keys")),
        basses=("roots",),
        bass_voices=("sub",),
        leads=("bell", "flute"),
        drums=False,
        three=0.2,
        loose_ms=(0.5, 6.0),
        lead=0.5,
    ),
    Style(
        name="strings",
        weight=5,
        tempo_bpm=(70, 140),
        flavour="folk",
        comps=(("bowed", "plucked"), ("plucked", "bowed"), ("bowed",)),
        basses=("roots", "eighths", "walk"),
        bass_voices=("cello", "finger"),
        leads=("violin", "flute"),
        drums=False,
        three=0.35,
    ),
)
