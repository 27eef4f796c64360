"""From notes to sound: buses, room, and a gain that all stems share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import fft, signal

from synth.core import RATE_HZ
from synth.jukebox.instruments import INSTRUMENTS, Pitch
from synth.jukebox.kits import KITS, lead_s, strike, tuned
from synth.jukebox.tones import Wave, band, noise

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synth.jukebox.events import Note
    from synth.jukebox.plan import Plan
    from synth.jukebox.score import Player, Score

# How loud each layer's bus is by itself, in dB of its sounding parts' root mean square.
_LEVELS_DB = {"drums": -19.0, "bass": -20.0, "comp": -23.0, "extra": -25.0, "pad": -28.0}
_LEVELS_DB["melody"] = -20.5
_LENGTHS_S = (0.35, 0.7, 1.4, 2.8, 5.6)
_BLOCK = 256
_ROOM_RATE = 2


@dataclass(frozen=True)
class Bus:
    """One player's sound, before the room.

    Attributes:
        stem: which stem it belongs to.
        wave: one channel.
        pan: -1 left, 1 right.
        wide: whether the right channel comes a little later.
        wet: share of the room against other buses.
    """

    stem: str
    wave: Wave
    pan: float
    wide: bool
    wet: float


def render(plan: Plan, score: Score) -> Mapping[str, Wave]:
    """The stems of `score`, `(2, samples)` each; their sum is the mix and doesn't clip."""
    rng = np.random.default_rng([plan.seed, 3])
    tail_s = 1.2 + min(1.5, plan.desk.reverb_s)
    count = round((plan.grid.time_s(plan.bars, 0) + tail_s) * RATE_HZ)
    buses = [_play(plan, player, count, rng) for player in score.players]
    if score.hits:
        buses.append(_drum(plan, score, count, rng))
    buses += _opening(plan, count, rng)
    stems = _to_stems(plan, buses, count, rng)
    if plan.style.duck:
        dip = _duck(score, count)
        for name in stems:
            if name != "drums":
                stems[name] *= dip
    gain = _shared_gain(plan, sum(stems.values(), np.zeros((2, count), dtype=np.float32)))
    return {name: wave * gain for name, wave in stems.items()}


def _play(plan: Plan, player: Player, count: int, rng: np.random.Generator) -> Bus:
    instrument = INSTRUMENTS[player.voice]
    wave = np.zeros(count, dtype=np.float32)
    tuning = 440 * 2 ** (plan.tuning_cents / 1200)
    mellow = float(rng.uniform(-0.2, 0.2))
    cache: dict[tuple[int, float, bool], Wave] = {}
    for note in player.notes:
        length_s = note.duration_s + 3 * instrument.release_s
        made_s = next((s for s in _LENGTHS_S if s >= length_s), _LENGTHS_S[-1])
        key = (note.pitch, made_s, note.velocity > 0.68)
        if key not in cache:
            bright = float(np.clip((0.75 if key[2] else 0.45) + mellow, 0.1, 1.0))
            hz = tuning * 2 ** ((note.pitch - 69) / 12)
            cache[key] = instrument.play(Pitch(hz, made_s, bright), rng)
        _place(wave, cache[key], note, instrument.release_s, instrument.lead_s)
    _set_level(wave, _LEVELS_DB[player.layer] + plan.desk.band_db[player.layer] + player.level_db)
    low = player.layer == "bass"
    pan = 0.0 if low or player.layer == "melody" else float(rng.uniform(-0.5, 0.5))
    return Bus(player.stem, wave, pan, instrument.wide, 0.1 if low else 1.0)


def _place(wave: Wave, sound: Wave, note: Note, release_s: float, early_s: float) -> None:
    start = max(0, round((note.start_s - early_s) * RATE_HZ))
    held = round((note.duration_s + early_s) * RATE_HZ)
    length = min(len(sound), held + round(3 * release_s * RATE_HZ), len(wave) - start)
    if length <= 0:
        return
    cut = sound[:length] * np.float32(note.velocity**1.3)
    if held < length:
        after = np.arange(length - held, dtype=np.float32) / np.float32(RATE_HZ)
        # Ends at nought, so that the cut makes no click.
        cut[held:] *= np.exp(-after / np.float32(release_s)) * np.linspace(1, 0, length - held)
    else:
        fade = min(length, 400)
        cut[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
    wave[start : start + length] += cut


def _drum(plan: Plan, score: Score, count: int, rng: np.random.Generator) -> Bus:
    kit = tuned(KITS[plan.kit], plan.tonic, rng)
    wave = np.zeros(count, dtype=np.float32)
    programmed = plan.kit in ("808", "909", "linn")
    takes = 1 if programmed else 3
    cache: dict[tuple[str, bool, int], Wave] = {}
    balance: dict[str, float] = {}
    for hit in score.hits:
        key = (hit.piece, hit.velocity > 0.5, int(rng.integers(takes)))
        if key not in cache:
            cache[key] = strike(hit.piece, kit, key[1], rng)
        loud = balance.setdefault(hit.piece, _BALANCE.get(hit.piece, 0.5) * rng.uniform(0.75, 1.3))
        start = max(0, round((hit.time_s - lead_s(hit.piece)) * RATE_HZ))
        sound = cache[key][: max(0, count - start)]
        wave[start : start + len(sound)] += sound * np.float32(loud * hit.velocity**1.3)
    _set_level(wave, _LEVELS_DB["drums"] + plan.desk.drums_db)
    return Bus("drums", wave, 0.0, wide=True, wet=0.6)


_BALANCE = {"kick": 1.0, "snare": 0.85, "clap": 0.7, "hat": 0.3, "ohat": 0.35, "ride": 0.35}
_BALANCE |= {"crash": 0.55, "shaker": 0.25, "tamb": 0.3, "pedal": 0.25, "surdo": 0.9}
_BALANCE |= {"cajonlo": 0.9, "cajonhi": 0.7, "brush": 0.6, "tomlo": 0.8, "cowbell": 0.3}


def _set_level(wave: Wave, rms_db: float) -> None:
    """Scales `wave` so that its sounding blocks have this root mean square."""
    blocks = wave[: len(wave) // 4096 * 4096].reshape(-1, 4096)
    power = np.mean(blocks**2, axis=1)
    sounding = power[power > np.max(power) * 1e-3]
    if len(sounding):
        wave *= np.float32(10 ** (rms_db / 20) / np.sqrt(np.mean(sounding) + 1e-12))


def _opening(plan: Plan, count: int, rng: np.random.Generator) -> list[Bus]:
    """Noise of the room, or a chord without a beat, before the song begins."""
    until = plan.opening.lead_s
    if plan.opening.lead == "room":
        hiss = band(noise(rng, count), 60, 3000, 1) * np.float32(10 ** (rng.uniform(-66, -50) / 20))
        return [Bus("other", hiss, 0.0, wide=True, wet=0.0)]
    if plan.opening.lead != "pad" or until < 0.6:
        return []
    wave = np.zeros(count, dtype=np.float32)
    minor = plan.mode in ("minor", "dorian")
    for interval in (0, 7, 15 if minor else 16):
        hz = 440 * 2 ** (plan.tuning_cents / 1200 + (48 + plan.tonic + interval - 69) / 12)
        sound = INSTRUMENTS["warmpad"].play(Pitch(hz, until, 0.3), rng)
        rise = np.minimum(1, np.arange(len(sound)) / (0.5 * len(sound)))
        fall = np.minimum(1, np.arange(len(sound))[::-1] / (0.3 * len(sound)))
        wave[: len(sound)] += sound * (rise * fall).astype(np.float32)
    _set_level(wave, _LEVELS_DB["pad"])
    return [Bus("other", wave, 0.0, wide=True, wet=1.0)]


def _to_stems(
    plan: Plan, buses: list[Bus], count: int, rng: np.random.Generator
) -> dict[str, Wave]:
    room = _room(plan, rng)
    stems: dict[str, Wave] = {}
    sends: dict[str, Wave] = {}
    for bus in buses:
        stem = stems.setdefault(bus.stem, np.zeros((2, count), dtype=np.float32))
        angle = (bus.pan + 1) * np.pi / 4
        later = round(0.011 * RATE_HZ) if bus.wide and bus.stem != "drums" else 0
        stem[0] += bus.wave * np.float32(np.cos(angle) * np.sqrt(2))
        right = bus.wave * np.float32(np.sin(angle) * np.sqrt(2))
        stem[1, later:] += right[: count - later]
        send = sends.setdefault(bus.stem, np.zeros(count, dtype=np.float32))
        if bus.wet:
            send += bus.wave * np.float32(bus.wet)
    for name, send in sends.items():
        if name != "bass":
            stems[name] += _reverberate(send, room) * np.float32(plan.desk.wet * 2)
    return stems


def _room(plan: Plan, rng: np.random.Generator) -> Wave:
    """Impulse response of a room, at half the rate, `(2, samples)` of unit energy."""
    length = round(plan.desk.reverb_s * RATE_HZ / _ROOM_RATE)
    t = np.arange(length) / length
    tail = rng.standard_normal((2, length)) * np.exp(-6.0 * t) * np.minimum(1, t * 60)
    tail = signal.lfilter([0.5, 0.5], [1.0], tail)
    before = np.zeros((2, round(0.012 * RATE_HZ / _ROOM_RATE)))
    tail = np.concatenate((before, tail), axis=1)
    return np.asarray(tail / np.sqrt(np.sum(tail[0] ** 2)), dtype=np.float32)


def _reverberate(send: Wave, room: Wave) -> Wave:
    """The room's answer, `(2, samples)`; half the rate suffices, as rooms swallow treble."""
    count = len(send)
    padded = fft.next_fast_len(count + 2 * room.shape[1] + 2, real=True)
    padded += padded % 2
    spectrum = fft.rfft(send, padded)[: padded // 4 + 1] / 2
    answers = spectrum * fft.rfft(room, padded // _ROOM_RATE)[:, : len(spectrum)]
    full = np.zeros((2, padded // 2 + 1), dtype=np.complex64)
    full[:, : answers.shape[1]] = answers * 2
    return np.asarray(fft.irfft(full, padded)[:, :count], dtype=np.float32)


def _duck(score: Score, count: int) -> Wave:
    dip = np.ones(count, dtype=np.float32)
    t = np.arange(round(0.24 * RATE_HZ)) / RATE_HZ
    shape = (1 - 0.65 * np.exp(-t / 0.08) * np.minimum(1, t / 0.004)).astype(np.float32)
    for hit in score.hits:
        if hit.piece == "kick":
            start = max(0, round(hit.time_s * RATE_HZ))
            piece = dip[start : start + len(shape)]
            np.minimum(piece, shape[: len(piece)], out=piece)
    return dip


def _shared_gain(plan: Plan, mix: Wave) -> Wave:
    """What the desk does to the sum: compression, the last fade, and the level."""
    count = mix.shape[1]
    blocks = -(-count // _BLOCK)
    padded = np.zeros((2, blocks * _BLOCK), dtype=np.float32)
    padded[:, :count] = mix
    power = np.mean(padded.reshape(2, blocks, _BLOCK) ** 2, axis=(0, 2))
    over_db = np.maximum(0, 10 * np.log10(power + 1e-9) + 16)
    wanted_db = -over_db * (1 - 1 / plan.desk.ratio)
    gain_db = np.zeros(blocks)
    held = 0.0
    attack, release = np.exp(-_BLOCK / RATE_HZ / np.array([0.012, 0.18]))
    for i, want in enumerate(wanted_db):
        keep = attack if want < held else release
        held = keep * held + (1 - keep) * want
        gain_db[i] = held
    centres = (np.arange(blocks) + 0.5) * _BLOCK
    gain = np.interp(np.arange(count), centres, 10 ** (gain_db / 20)).astype(np.float32)
    if plan.desk.fades:
        length = min(round(6 * RATE_HZ), count)
        gain[-length:] *= (10 ** (-np.linspace(0, 24, length) / 20)).astype(np.float32)
    # The very last of the room's tail, and the first sample, go to nought.
    edge = round(0.3 * RATE_HZ)
    gain[-edge:] *= np.linspace(1, 0, edge, dtype=np.float32)
    peak = float(np.max(np.abs(mix * gain)))
    return gain * np.float32(plan.desk.peak / max(peak, 1e-6))
