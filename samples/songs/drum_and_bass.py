"""Drum and bass, 174 BPM, D minor: intro, hook and build, drop, hook over the full break."""

from __future__ import annotations

import numpy as np

from samples.songs.model import Line, Song, choir, fade_out, polish_vocals, strike, voiced
from synth import drums, instruments
from synth.core import Signal, band, note_hz, samples, sweep_lowpass
from synth.effects import echo, pump, reverb, saturate
from synth.timeline import Grid, Track
from synth.voice import Singer

# Chord tones from low to high, and the root for the bass.
CHORDS: dict[str, tuple[tuple[str, ...], str]] = {
    "Dm(9)": (("F3", "A3", "D4", "E4"), "D2"),
    "Bbmaj7": (("F3", "A3", "Bb3", "D4"), "Bb1"),
    "Gm(9)": (("G3", "A3", "Bb3", "D4"), "G1"),
    "A7": (("G3", "A3", "C#4", "E4"), "A1"),
    "Dm": (("F3", "A3", "D4", "F4"), "D2"),
}
HARMONY = ["Dm(9)", "Dm(9)", "Bbmaj7", "Bbmaj7", "Gm(9)", "Gm(9)", "A7", "A7"]
HARMONY += ["Dm(9)", "Dm(9)", "Bbmaj7", "Bbmaj7", "Gm(9)", "Gm(9)", "A7", "Dm"]

# "Run away, when the night falls I will find you."
HOOK: Line = (
    (0, 1.5, "D4", "r uh n"),
    (1.5, 0.5, "F4", "uh"),
    (2, 3, "G4", "w ei"),
    (6, 0.5, "Bb4", "w e n"),
    (6.5, 0.5, "A4", "dh uh"),
    (7, 1, "G4", "n ai t"),
    (8, 2.5, "A4", "f o l z"),
    (11, 0.5, "G4", "ai"),
    (11.5, 0.5, "F4", "w ih l"),
    (12, 1.5, "E4", "f ai n d"),
    (13.5, 2.3, "C#4", "y u"),
)
# "Run away, I will be right by your side."
HOOK_HOME: Line = (
    *HOOK[:3],
    (6, 0.5, "Bb4", "ai"),
    (6.5, 0.5, "A4", "w ih l"),
    (7, 1, "G4", "b i"),
    (8, 1.5, "A4", "r ai t"),
    (9.5, 0.5, "G4", "b ai"),
    (10, 1.5, "E4", "y o r"),
    (12, 3, "D4", "s ai d"),
)
ADLIB: Line = ((0, 0.5, "A4", "h ei"), (4.5, 0.5, "C5", "h ei"), (5, 1.5, "A4", "ei"))

_EMPTY = "." * 16
_LIGHT = {
    "kick": "X.........o.....", "snare": "....o.......o...", "ghost": _EMPTY,
    "hat": "o.g.o.g.o.g.o.g.", "ride": _EMPTY,
}  # fmt: skip
_STEP = {
    "kick": "X.........X.....", "snare": "....X.......X...", "ghost": ".......g.g.....g",
    "hat": "x.o.x.o.x.o.x.o.", "ride": _EMPTY,
}  # fmt: skip
_BREAK_A = _STEP | {
    "kick": "X.X.......X.....",
    "ghost": ".......o.g.....g",
    "ride": "x.x.x.x.x.x.x.x.",
}
_BREAK_B = _BREAK_A | {"kick": "X..X......X..o..", "ghost": ".......g.o....gg"}
_TURN = _BREAK_A | {
    "kick": "X.X.......X.....",
    "snare": "....X.........X.",
    "ghost": ".......o.g.g....",
}
_ROLL = _STEP | {
    "kick": "X...x...........",
    "snare": "....X...ooooxxxX",
    "ghost": _EMPTY,
    "hat": "x.o.x...........",
}
_FILL = _BREAK_A | {"snare": "....X.....X.X.xx", "kick": "X.X....x........"}
_END = dict.fromkeys(_STEP, _EMPTY) | {"kick": "X..............."}
BREAKS = [
    _LIGHT,
    _LIGHT,
    _LIGHT | {"snare": "....x.......x..."},
    _LIGHT | {"snare": "....x.......x.oo"},
]
BREAKS += [_STEP, _STEP, _STEP, _ROLL]
BREAKS += [_BREAK_A, _BREAK_B, _BREAK_A, _TURN, _BREAK_A, _BREAK_B, _FILL, _END]

# Sixteenth, length in sixteenths, semitones above the root; for even and odd bars.
REESE = [
    [(0, 5.5, 0), (6, 3, 0), (10, 3.5, 0), (14, 1.8, 12)],
    [(0, 2.5, 0), (3, 2.5, 0), (6, 3.5, 12), (10, 5.5, 0)],
]
BELLS = "x..x..x.x..x..x."


def play(grid: Grid) -> dict[str, Signal]:
    """Play the song."""
    return {
        "vocals": fade_out(_vocals(grid)),
        "drums": fade_out(_drums(grid)),
        "bass": fade_out(_bass(grid)),
        "other": fade_out(_other(grid)),
    }


def _kicks_s(grid: Grid) -> list[float]:
    return [
        grid.at_s(bar, step / 4)
        for bar in range(grid.bars)
        for step, letter in enumerate(BREAKS[bar]["kick"])
        if letter != "."
    ]


def _drums(grid: Grid) -> Signal:
    rng = np.random.default_rng(17401)
    dry, roomy = Track(grid.duration_s), Track(grid.duration_s)
    snares = [
        drums.snare(rng, tone_hz=220, half_life_s=0.042, wires=0.75, bright_hz=11_000)
        for _ in range(3)
    ]
    kit = [
        ("kick", [drums.kick(rng, tone_hz=55, punch_hz=170, half_life_s=0.055)], dry, 0.6, 0.0),
        ("snare", snares, roomy, 0.6, 0.0),
        ("ghost", [band(s, 220, 6_500) for s in snares], roomy, 0.42, 0.12),
        ("hat", [drums.hat(rng, half_life_s=0.014, pitch=1.1) for _ in range(4)], dry, 0.3, 0.3),
        ("ride", [drums.ride(rng) for _ in range(2)], dry, 0.2, -0.35),
    ]
    for bar in range(grid.bars):
        for name, takes, track, gain, position in kit:
            loose_s = 0.0 if name == "kick" else 0.0015
            strike(
                track, grid, bar, BREAKS[bar][name], takes, rng,
                gain=gain, position=position, loose_s=loose_s,
            )  # fmt: skip
    for bar, position in ((4, 0.4), (8, -0.4), (12, 0.4), (15, -0.3)):
        roomy.add(drums.cymbal(rng), grid.at_s(bar), 0.4, position)
    wet = reverb(roomy.sound, rng, decay_s=0.5, pre_delay_s=0.005)
    return saturate(dry.sound + roomy.sound + 0.15 * wet, 3.0)


def _bass(grid: Grid) -> Signal:
    rng = np.random.default_rng(17402)
    track = Track(grid.duration_s)
    for bar in range(4, min(grid.bars, 15)):
        root_hz = note_hz(CHORDS[HARMONY[bar]][1])
        if bar < 8:
            if bar != 7:
                track.add(instruments.sub_bass(root_hz, 3.4 * grid.beat_s), grid.at_s(bar), 0.34)
            continue
        for step, length, interval in REESE[bar % 2]:
            hz = root_hz * 2 ** (interval / 12)
            note = instruments.reese(rng, hz, length * grid.beat_s / 4, cutoff_hz=800)
            track.add(note, grid.at_s(bar, step / 4), 0.42)
    if grid.bars > 15:
        note = instruments.reese(rng, note_hz("D2"), 2.4 * grid.beat_s, cutoff_hz=500)
        track.add(note, grid.at_s(15), 0.42)
    duck = pump(track.sound.shape[1], _kicks_s(grid), depth_db=6, recover_s=0.11)
    return band(track.sound * duck, 32)


def _other(grid: Grid) -> Signal:
    rng = np.random.default_rng(17403)
    pad, bells, stabs, air = (Track(grid.duration_s) for _ in range(4))
    for bar in range(min(grid.bars, 15)):
        tones = CHORDS[HARMONY[bar]][0]
        for tone in tones:
            note = instruments.super_saw(
                rng, note_hz(tone), 4 * grid.beat_s, cutoff_hz=2_400, attack_s=0.06, release_s=0.3
            )
            pad.add(note, grid.at_s(bar), 0.17)
        for step, letter in enumerate(BELLS):
            if letter == "x" and (bar < 4 or 8 <= bar < 12):
                hz = 4 * note_hz(tones[(step + bar) % len(tones)])
                place = 0.6 * np.sin(2.3 * step)
                bells.add(instruments.bell(hz, 0.1), grid.at_s(bar, step / 4), 0.13, place)
        if bar >= 8:
            for step in (3, 6, 11):
                for index, tone in enumerate(tones):
                    note = instruments.pluck(rng, 2 * note_hz(tone), 0.11, open_hz=4_500)
                    stabs.add(note, grid.at_s(bar, step / 4), 0.14, 0.3 * (index - 1.5))
    if grid.bars > 15:
        for tone in CHORDS["Dm"][0]:
            note = instruments.super_saw(rng, note_hz(tone), 3 * grid.beat_s, cutoff_hz=2_000)
            pad.add(note, grid.at_s(15), 0.2)
    for bar, bars in ((3, 1), (6, 2), (11, 1)):
        if bar < grid.bars:
            air.add(instruments.riser(rng, bars * 4 * grid.beat_s), grid.at_s(bar), 0.3)
    for bar in (0, 4, 8, 12, 15):
        air.add(instruments.impact(rng), grid.at_s(bar), 0.26)
    opening = np.interp(
        np.arange(pad.sound.shape[1]),
        [0, samples(grid.at_s(4)), samples(grid.at_s(8))],
        [700, 2_500, 9_000],
    )
    duck = pump(pad.sound.shape[1], _kicks_s(grid), depth_db=5, recover_s=0.2)
    bed = sweep_lowpass(pad.sound, opening, 0.8) * duck + stabs.sound + bells.sound
    bed = bed + 0.25 * reverb(bed, rng, decay_s=2.0)
    bed += 0.35 * echo(bells.sound + 0.6 * stabs.sound, 0.75 * grid.beat_s, feedback=0.45)
    return band(bed + air.sound, 75)


def _vocals(grid: Grid) -> Signal:
    rng = np.random.default_rng(17404)
    lead = voiced(grid, [(4, HOOK), (9, ADLIB), (12, HOOK_HOME)])
    track = choir(
        grid,
        lead,
        [
            (Singer(tract=1.17, shape=0.9, breath=0.07, seed=21), 1.0, 0.0),
            (Singer(tract=1.19, shape=1.3, breath=0.09, seed=22), 0.25, -0.8),
            (Singer(tract=1.15, shape=1.3, breath=0.09, seed=23), 0.25, 0.8),
        ],
    )
    return polish_vocals(track.sound, grid, rng, room=0.15, repeats=0.14)


SONG = Song(
    slug="when-the-night-falls",
    title="When the Night Falls",
    key="D minor",
    grid=Grid(tempo_bpm=174.0, bars=16),
    mix_db={"vocals": 1.5, "drums": 0.5, "bass": -1.5, "other": 2.5},
    master_gain_db=-3.6,
    play=play,
)
