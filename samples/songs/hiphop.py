"""Hip-hop, 92 BPM, F minor: an electric piano, swung drums, a hook, a guitar."""

from __future__ import annotations

import numpy as np

from samples.songs.model import Line, Song, choir, fade_out, polish_vocals, strike, voiced
from synth import drums, instruments
from synth.core import Signal, band, note_hz
from synth.effects import echo, pump, reverb, saturate, shelf
from synth.timeline import Grid, Track
from synth.voice import Singer

# Chord tones from low to high, and the root for the bass.
CHORDS: dict[str, tuple[tuple[str, ...], str]] = {
    "Fm(9)": (("Ab3", "C4", "F4", "G4"), "F1"),
    "Dbmaj7": (("Ab3", "C4", "Db4", "F4"), "Db2"),
    "Bbm7": (("Ab3", "Bb3", "Db4", "F4"), "Bb1"),
    "C7b9": (("G3", "Bb3", "Db4", "E4"), "C2"),
}
# Chords of each bar; a pair changes in the middle of the bar.
HARMONY: list[tuple[str, ...]] = [("Fm(9)",), ("Dbmaj7",), ("Bbm7",), ("C7b9",)] * 2
HARMONY += [("Fm(9)",), ("Dbmaj7",), ("Bbm7", "C7b9"), ("Fm(9)",)]

# "Slow it down, let it ride, see the city lights;
# take your time, take it slow, nowhere else to go."
HOOK: Line = (
    (0.5, 0.5, "C4", "s l ou"),
    (1, 0.5, "C4", "ih t"),
    (1.5, 0.9, "Ab3", "d au n"),
    (2.5, 0.5, "Ab3", "l e t"),
    (3, 0.5, "Bb3", "ih t"),
    (3.5, 1.1, "C4", "r ai d"),
    (5, 0.5, "Eb4", "s i"),
    (5.5, 0.5, "Eb4", "dh uh"),
    (6, 0.75, "C4", "s ih"),
    (6.75, 0.75, "Bb3", "t i"),
    (7.5, 0.9, "Ab3", "l ai t s"),
    (8.5, 0.5, "Bb3", "t ei k"),
    (9, 0.5, "Db4", "y o r"),
    (9.5, 0.9, "C4", "t ai m"),
    (10.5, 0.5, "Bb3", "t ei k"),
    (11, 0.5, "Ab3", "ih t"),
    (11.5, 1.1, "Bb3", "s l ou"),
    (13, 0.5, "C4", "n ou"),
    (13.5, 0.5, "Bb3", "w e r"),
    (14, 0.75, "G3", "e l s"),
    (14.75, 0.75, "G3", "t u"),
    (15.5, 1.8, "F3", "g ou"),
)
TAG: Line = (
    (0.5, 0.5, "Bb3", "t ei k"),
    (1, 0.5, "Db4", "y o r"),
    (1.5, 0.9, "C4", "t ai m"),
    (2.5, 0.5, "Bb3", "t ei k"),
    (3, 0.75, "G3", "ih t"),
    (4, 2.4, "F3", "s l ou"),
)
LATE_S = 0.014
"""The singer leans back behind the beat."""

# Beat within two bars, length in beats, pitch.
GUITAR = [
    (0.0, 0.5, "C5"), (0.75, 0.5, "Eb5"), (1.5, 1.0, "G5"), (2.75, 0.5, "F5"), (3.5, 1.0, "Eb5"),
    (4.5, 0.5, "F5"), (5.0, 0.5, "Eb5"), (5.75, 0.75, "C5"), (6.5, 0.5, "Ab4"), (7.0, 1.0, "C5"),
]  # fmt: skip

_BEAT_A = {
    "kick": "X......o..X.....", "snare": "....X.......X...", "ghost": ".......g.......g",
    "hat": "x.o.x.ogx.o.x.og", "open": "................", "rim": "................",
}  # fmt: skip
_BEAT_B = _BEAT_A | {
    "kick": "X..o......X..o..", "ghost": ".......g.g......", "open": "..............o.",
    "hat": "x.o.xgo.x.ogx.o.",
}  # fmt: skip
_INTRO = _BEAT_A | {
    "kick": "X.........o.....", "snare": "................", "ghost": "................",
    "hat": "o.g.o.g.o.g.o.gg", "rim": "....x.......x...",
}  # fmt: skip
_FILL = _BEAT_B | {"kick": "X..o......X.....", "snare": "....X.....o.X.oX"}
_END = dict.fromkeys(_BEAT_A, "." * 16) | {"kick": "X" + "." * 15, "snare": "." * 16}
BEATS = [_INTRO, _INTRO | {"ghost": "............g.oo"}, _BEAT_A, _FILL]
BEATS += [_BEAT_A, _BEAT_B, _BEAT_A, _FILL, _BEAT_A, _BEAT_B, _FILL, _END]

# Sixteenth, length in sixteenths, semitones above the root.
BASS = [
    [(0, 5, 0), (7, 2.5, 0), (10, 3, 0), (14, 1.8, 7)],
    [(0, 3, 0), (3, 3, 0), (10, 2.5, 12), (13, 2.6, 0)],
]
# Sixteenths on which the electric piano plays, with their lengths.
COMPING = [[(0, 6), (7, 3), (10, 5)], [(0, 5), (6, 2), (11, 4)]]


def play(grid: Grid) -> dict[str, Signal]:
    """Play the song."""
    return {
        "vocals": fade_out(_vocals(grid)),
        "drums": fade_out(_drums(grid)),
        "bass": fade_out(_bass(grid)),
        "other": fade_out(_other(grid)),
    }


def _chord(bar: int, step: float) -> tuple[tuple[str, ...], str]:
    names = HARMONY[bar]
    return CHORDS[names[int(step * len(names) // 16)]]


def _drums(grid: Grid) -> Signal:
    rng = np.random.default_rng(9201)
    dry, roomy = Track(grid.duration_s), Track(grid.duration_s)
    snares = [drums.snare(rng, tone_hz=174.6, half_life_s=0.055, wires=0.8) for _ in range(3)]
    claps = [drums.clap(rng, half_life_s=0.05)]
    kit = [
        ("kick", [drums.kick(rng, tone_hz=51.9, punch_hz=150, half_life_s=0.075)], dry, 0.62, 0.0),
        ("snare", snares, roomy, 0.52, 0.0),
        ("snare", claps, roomy, 0.2, 0.12),
        ("ghost", [band(s, 150, 5_000) for s in snares], roomy, 0.34, -0.05),
        ("hat", [drums.hat(rng, half_life_s=0.016, pitch=0.9) for _ in range(4)], dry, 0.3, 0.28),
        ("open", [drums.hat(rng, half_life_s=0.06, pitch=0.9)], dry, 0.26, 0.28),
        ("rim", [drums.rim(rng) for _ in range(2)], roomy, 0.4, -0.2),
    ]
    for bar in range(grid.bars):
        for name, takes, track, gain, position in kit:
            loose_s = 0.0 if name == "kick" else 0.003
            strike(
                track, grid, bar, BEATS[bar][name], takes, rng,
                gain=gain, position=position, loose_s=loose_s,
            )  # fmt: skip
    for bar, position in ((4, -0.4), (8, 0.4), (11, -0.3)):
        roomy.add(drums.cymbal(rng), grid.at_s(bar), 0.32, position)
    wet = reverb(roomy.sound, rng, decay_s=0.55, pre_delay_s=0.006, damping_hz=4_500)
    return saturate(dry.sound + roomy.sound + 0.2 * wet, 3.0)


def _bass(grid: Grid) -> Signal:
    track = Track(grid.duration_s)
    previous_hz = note_hz("F1")
    for bar in range(2, min(grid.bars, 11)):
        for step, length, interval in BASS[bar % 2]:
            hz = note_hz(_chord(bar, step)[1]) * 2 ** (interval / 12)
            note = instruments.sub_bass(
                hz, length * grid.beat_s / 4, slide_from_hz=previous_hz if step else None
            )
            track.add(note, grid.at_s(bar, step / 4), 0.5)
            previous_hz = hz
    if grid.bars > 11:
        track.add(instruments.sub_bass(note_hz("F1"), 2.5 * grid.beat_s), grid.at_s(11), 0.5)
    kicks_s = [
        grid.at_s(bar, step / 4)
        for bar in range(grid.bars)
        for step, letter in enumerate(BEATS[bar]["kick"])
        if letter != "."
    ]
    duck = pump(track.sound.shape[1], kicks_s, depth_db=5, recover_s=0.14)
    return band(track.sound * duck, 32, 2_500)


def _other(grid: Grid) -> Signal:
    rng = np.random.default_rng(9202)
    keys, strings, lead = (Track(grid.duration_s) for _ in range(3))
    for bar in range(min(grid.bars, 11)):
        for step, length in COMPING[bar % 2]:
            for index, name in enumerate(_chord(bar, step)[0]):
                note = instruments.electric_piano(note_hz(name), length * grid.beat_s / 4)
                roll_s = 0.006 * index
                gain = (0.2 if step == 0 else 0.15) * rng.uniform(0.9, 1.05)
                keys.add(note, grid.at_s(bar, step / 4) + roll_s, gain, 0.2 * (index - 1.5))
        if bar >= 4:
            _strings_bar(strings, grid, bar, rng)
    if grid.bars > 11:
        for index, name in enumerate(CHORDS["Fm(9)"][0]):
            note = instruments.electric_piano(note_hz(name), 3.2 * grid.beat_s)
            keys.add(note, grid.at_s(11) + 0.02 * index, 0.22, 0.2 * (index - 1.5))
    for bar in (2, 8):
        for beat, beats, name in GUITAR:
            if grid.at_s(bar, beat) < grid.duration_s:
                note = instruments.guitar(rng, note_hz(name) / 2, beats * grid.beat_s)
                lead.add(note, grid.at_s(bar, beat) + 0.008, 0.34, -0.35)
    time = np.arange(keys.sound.shape[1]) / grid.beat_s / 44_100
    sway = 0.28 * np.sin(2 * np.pi * time * 2)
    tremolo = np.stack((1 + sway, 1 - sway))
    bed = saturate(keys.sound * tremolo, 2.0) + strings.sound + lead.sound
    bed = bed + 0.2 * reverb(bed, rng, decay_s=1.4)
    bed += 0.3 * echo(lead.sound, 0.75 * grid.beat_s, feedback=0.4)
    dust = np.stack([drums.crackle(rng, grid.duration_s) for _ in range(2)])
    return band(shelf(bed, 3_000, 3.0) + 0.05 * dust, 80)


def _strings_bar(track: Track, grid: Grid, bar: int, rng: np.random.Generator) -> None:
    names = HARMONY[bar]
    length_s = grid.at_s(1) / len(names)
    for half, name in enumerate(names):
        for tone in CHORDS[name][0][1:]:
            note = instruments.super_saw(
                rng, 2 * note_hz(tone), length_s, voices=5, detune_cents=9, cutoff_hz=1_900,
                attack_s=0.18, release_s=0.3,
            )  # fmt: skip
            track.add(note, grid.at_s(bar) + half * length_s, 0.05)


def _vocals(grid: Grid) -> Signal:
    rng = np.random.default_rng(9203)
    lead = voiced(grid, [(4, HOOK), (10, TAG)], late_s=LATE_S)
    track = choir(
        grid,
        lead,
        [
            (Singer(tract=1.0, shape=0.75, vibrato_cents=18, breath=0.03, seed=11), 1.0, 0.0),
            (Singer(tract=1.02, shape=1.1, breath=0.05, vibrato_cents=18, seed=12), 0.2, -0.7),
            (Singer(tract=0.98, shape=1.1, breath=0.05, vibrato_cents=18, seed=13), 0.2, 0.7),
        ],
    )
    return polish_vocals(track.sound, grid, rng, room=0.09, repeats=0.1)


SONG = Song(
    slug="slow-it-down",
    title="Slow It Down",
    key="F minor",
    grid=Grid(tempo_bpm=92.0, bars=12, swing=0.59),
    mix_db={"vocals": 3.0, "drums": 1.0, "bass": -2.0, "other": 2.0},
    master_gain_db=-3.2,
    play=play,
)
