"""House, 124 BPM, A minor: four bars each of intro, hook, drop and hook."""

from __future__ import annotations

import numpy as np

from samples.songs.model import Line, Song, choir, fade_out, polish_vocals, strike, voiced
from synth import drums, instruments
from synth.core import Signal, band, note_hz, samples, sweep_lowpass
from synth.effects import echo, pump, reverb, saturate
from synth.timeline import Grid, Track
from synth.voice import Singer

# Chord tones from low to high, and the root for the bass: Am9 Fmaj9 Dm9 E7.
CHORDS: dict[str, tuple[tuple[str, ...], str]] = {
    "Am9": (("G3", "B3", "C4", "E4"), "A1"),
    "Fmaj9": (("G3", "A3", "C4", "E4"), "F1"),
    "Dm9": (("F3", "A3", "C4", "E4"), "D2"),
    "E7": (("G#3", "B3", "D4", "E4"), "E2"),
    "Am": (("A3", "C4", "E4", "A4"), "A1"),
}
# Chords of each bar; a pair changes in the middle of the bar.
HARMONY: list[tuple[str, ...]] = [("Am9",), ("Fmaj9",), ("Dm9",), ("E7",)] * 3
HARMONY += [("Am9",), ("Fmaj9",), ("Dm9", "E7"), ("Am",)]

# "Hold on to the light, carry me through the night."
HOOK: Line = (
    (0, 1, "E4", "h ou l d"),
    (1, 1, "G4", "o n"),
    (2, 0.5, "E4", "t u"),
    (2.5, 0.5, "D4", "dh uh"),
    (3, 0.5, "C4", "l a"),
    (3.5, 2.25, "E4", "ai t"),
    (8, 0.5, "D4", "k ae"),
    (8.5, 0.5, "E4", "r i"),
    (9, 0.5, "F4", "m i"),
    (9.5, 1, "A4", "t r u"),
    (10.5, 0.5, "G4", "dh uh"),
    (11, 1, "F4", "n a"),
    (12, 2.5, "E4", "ai t"),
)
# The second time it goes home: "... carry me, carry me home."
HOOK_HOME: Line = (
    *HOOK[:6],
    (6.5, 0.5, "E4", "s ou"),
    (7, 0.5, "G4", "k ae"),
    (7.5, 0.5, "G4", "r i"),
    (8, 1.5, "A4", "m i"),
    (9.5, 0.5, "G4", "k ae"),
    (10, 0.5, "G#4", "r i"),
    (10.5, 1.5, "B4", "m i"),
    (12, 3, "A4", "h ou m"),
)
ADLIB: Line = ((0, 0.5, "C5", "o"), (0.5, 0.5, "B4", "o"), (1, 2, "A4", "ou"))

DRUMS = {
    "kick": ["X...X...X...X..."] * 7 + ["X...X..........."] + ["X...X...X...X..."] * 3
    + ["X...X...X...X.o."] + ["X...X...X...X..."] * 2 + ["X...X...X...x.x."] + ["X..............."],
    "clap": ["................"] * 2 + ["....x.......x..."] * 5 + ["....x..........."]
    + ["....X.......X..."] * 6 + ["....X.......X.oo"] + ["................"],
    "open": ["................"] * 2 + ["..o...o...o...o."] * 2 + ["..x...x...x...x."] * 3
    + ["..x...x........."] + ["..x...x...x...x."] * 7 + ["................"],
    "closed": ["o.g.o.g.o.g.o.g."] * 2 + ["ogg.ogg.ogg.oggg"] * 5 + ["ogg.ogg........."]
    + ["oggoogogoggoogog"] * 7 + ["................"],
    "shaker": ["................"] * 4 + ["gogogogogogogogo"] * 3 + ["................"]
    + ["gogxgogxgogxgogx"] * 7 + ["................"],
    "rim": ["................"] * 4 + ["...o..o....o...."] * 3 + ["................"]
    + ["...o..o....o..g."] * 7 + ["................"],
    "snare": ["................"] * 7 + ["........gggoooox"] + ["................"] * 6
    + ["............g.ox"] + ["................"],
}  # fmt: skip

# Sixteenth, length in sixteenths, semitones above the root.
BASS_SPARSE = [(2, 1.6, 0), (6, 1.6, 0), (10, 1.6, 0), (14, 1.0, 0), (15, 0.8, 12)]
BASS_DROP = [
    (0, 1.2, 0), (2, 1.4, 12), (3, 0.8, 0), (6, 1.6, 0), (7, 0.7, 12),
    (10, 1.6, 0), (11, 0.8, 0), (13, 0.8, 12), (14, 1.4, 0),
]  # fmt: skip

STABS = "X..x..x...x..x.."
ARPEGGIO = (0, 2, 1, 3, 2, 3, 1, 2)


def play(grid: Grid) -> dict[str, Signal]:
    """Play the song."""
    return {
        "vocals": fade_out(_vocals(grid)),
        "drums": fade_out(_drums(grid)),
        "bass": fade_out(_bass(grid)),
        "other": fade_out(_other(grid)),
    }


def _chord(grid_bar: int, step: float) -> tuple[tuple[str, ...], str]:
    names = HARMONY[grid_bar]
    return CHORDS[names[int(step * len(names) // 16)]]


def _kicks_s(grid: Grid) -> list[float]:
    return [
        grid.at_s(bar, step / 4)
        for bar in range(grid.bars)
        for step, letter in enumerate(DRUMS["kick"][bar])
        if letter != "."
    ]


def _drums(grid: Grid) -> Signal:
    rng = np.random.default_rng(12401)
    dry, roomy = Track(grid.duration_s), Track(grid.duration_s)
    kit = {
        "kick": ([drums.kick(rng, tone_hz=55, half_life_s=0.07)], dry, 0.62, 0.0),
        "clap": ([drums.clap(rng) for _ in range(3)], roomy, 0.42, 0.05),
        "open": ([drums.hat(rng, half_life_s=0.07) for _ in range(3)], dry, 0.42, -0.25),
        "closed": ([drums.hat(rng) for _ in range(4)], dry, 0.34, 0.3),
        "shaker": ([drums.shaker(rng) for _ in range(4)], dry, 0.2, -0.5),
        "rim": ([drums.rim(rng) for _ in range(2)], roomy, 0.28, 0.45),
        "snare": ([drums.snare(rng, tone_hz=200) for _ in range(3)], roomy, 0.4, -0.1),
    }
    for bar in range(grid.bars):
        for name, (takes, track, gain, position) in kit.items():
            loose_s = 0.0 if name == "kick" else 0.002
            strike(
                track, grid, bar, DRUMS[name][bar], takes, rng,
                gain=gain, position=position, loose_s=loose_s,
            )  # fmt: skip
    for bar in (4, 8, 12, 15):
        roomy.add(drums.cymbal(rng), grid.at_s(bar), 0.5, 0.35 if bar % 8 else -0.35)
    wet = reverb(roomy.sound, rng, decay_s=0.7, pre_delay_s=0.008)
    return saturate(dry.sound + roomy.sound + 0.16 * wet, 1.5)


def _bass(grid: Grid) -> Signal:
    track = Track(grid.duration_s)
    for bar in range(4, min(grid.bars, 15)):
        pattern = BASS_DROP if bar >= 8 else BASS_SPARSE
        for step, length, interval in pattern:
            if bar == 7 and step >= 8:
                continue
            hz = note_hz(_chord(bar, step)[1]) * 2 ** (interval / 12)
            note = instruments.saw_bass(hz, length * grid.beat_s / 4)
            track.add(note, grid.at_s(bar, step / 4), 0.5 if interval else 0.62)
    if grid.bars > 15:
        track.add(instruments.saw_bass(note_hz("A1"), 2.2 * grid.beat_s), grid.at_s(15), 0.62)
    ducked = track.sound * pump(track.sound.shape[1], _kicks_s(grid), depth_db=8, recover_s=0.2)
    return band(ducked, 32)


def _other(grid: Grid) -> Signal:
    rng = np.random.default_rng(12402)
    piano, pad, lead, air = (Track(grid.duration_s) for _ in range(4))
    for bar in range(min(grid.bars, 15)):
        for step, letter in enumerate(STABS):
            if letter == "." or (bar == 7 and step > 8):
                continue
            strength = 1.0 if letter == "X" else 0.75
            for index, name in enumerate(_chord(bar, step)[0]):
                note = instruments.house_piano(rng, note_hz(name), 0.22)
                piano.add(note, grid.at_s(bar, step / 4), 0.2 * strength, 0.25 * (index - 1.5))
        if bar >= 2:
            _pad_bar(pad, grid, bar, rng)
        if 8 <= bar < 12:
            _arpeggio_bar(lead, grid, bar, rng)
    for bar, beats in ((2, 8), (6, 8), (10, 8)):
        if bar < grid.bars:
            air.add(instruments.riser(rng, beats * grid.beat_s), grid.at_s(bar), 0.3)
    for bar in (4, 8, 12, 15):
        air.add(instruments.impact(rng), grid.at_s(bar), 0.28)
    if grid.bars > 15:
        for index, name in enumerate(CHORDS["Am"][0]):
            note = instruments.house_piano(rng, note_hz(name), 3 * grid.beat_s)
            piano.add(note, grid.at_s(15), 0.24, 0.25 * (index - 1.5))
    opening = np.interp(
        np.arange(piano.sound.shape[1]),
        [0, samples(grid.at_s(4)), samples(grid.at_s(7)), samples(grid.at_s(8))],
        [500, 7_000, 4_000, 14_000],
    )
    played = sweep_lowpass(piano.sound, opening, 0.9)
    duck = pump(played.shape[1], _kicks_s(grid), depth_db=7, recover_s=0.3)
    bed = (played + pad.sound + lead.sound) * duck
    bed = bed + 0.22 * reverb(bed, rng, decay_s=1.7) * np.sqrt(duck)
    bed += 0.25 * echo(lead.sound, 0.75 * grid.beat_s, feedback=0.45) * duck
    return band(bed + air.sound, 70)


def _pad_bar(track: Track, grid: Grid, bar: int, rng: np.random.Generator) -> None:
    names = HARMONY[bar]
    length_s = grid.at_s(1) / len(names)
    for half, name in enumerate(names):
        for tone in CHORDS[name][0]:
            note = instruments.super_saw(
                rng, note_hz(tone), length_s, cutoff_hz=1_500 if bar < 8 else 2_600,
                attack_s=0.05, release_s=0.25,
            )  # fmt: skip
            track.add(note, grid.at_s(bar) + half * length_s, 0.16)


def _arpeggio_bar(track: Track, grid: Grid, bar: int, rng: np.random.Generator) -> None:
    for step in range(16):
        if step % 4 == 3:
            continue
        tones = _chord(bar, step)[0]
        hz = 4 * note_hz(tones[ARPEGGIO[step % 8]])
        note = instruments.pluck(rng, hz / 2 if step % 3 else hz, 0.12, open_hz=5_500)
        track.add(note, grid.at_s(bar, step / 4), 0.24, 0.5 * np.sin(1.7 * step))


def _vocals(grid: Grid) -> Signal:
    rng = np.random.default_rng(12403)
    lead = voiced(grid, [(4, HOOK), (11, ADLIB), (12, HOOK_HOME)])
    woman = Singer(tract=1.14, shape=0.8, breath=0.045, seed=1)
    track = choir(
        grid,
        lead,
        [
            (woman, 1.0, 0.0),
            (Singer(tract=1.16, shape=1.2, breath=0.06, seed=2), 0.22, -0.8),
            (Singer(tract=1.12, shape=1.2, breath=0.06, seed=3), 0.22, 0.8),
        ],
    )
    return polish_vocals(track.sound, grid, rng)


SONG = Song(
    slug="hold-on-to-the-light",
    title="Hold On to the Light",
    key="A minor",
    grid=Grid(tempo_bpm=124.0, bars=16),
    mix_db={"vocals": 2.5, "drums": 0.5, "bass": 1.0, "other": 3.0},
    master_gain_db=-4.2,
    play=play,
)
