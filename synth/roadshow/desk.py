"""Mixing desk: places notes and drums, adds rooms, compresses, and masters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import maximum_filter1d, uniform_filter1d
from scipy.signal import lfilter, oaconvolve

from synth.roadshow.kit import DrumKit
from synth.roadshow.tones import RATE_HZ, Sound, Wave, render, timbres

if TYPE_CHECKING:
    from numpy.random import Generator

    from synth.roadshow.drumming import Hit
    from synth.roadshow.plan import Plan
    from synth.roadshow.playing import Note

_BLOCK = 64
_LEVELS_DB = {"drums": -17.0, "bass": -19.0, "other": -20.0, "vocals": -19.0}
_MASTERS_DB = {"machine": (-14, -9), "live": (-16, -10), "loose": (-18, -11)}
_SOFT = ("solo", "tune", "clicks")


def mix(plan: Plan, notes: list[Note], hits: list[Hit], rng: Generator) -> dict[str, Wave]:
    """Return the mastered stems by kind, each of shape `(2, samples)`."""
    ends = [note.start_s + note.length_s for note in notes] + [hit.time_s for hit in hits]
    samples = int((max(ends) + rng.uniform(0.8, 2.2)) * RATE_HZ)
    stems = _place_notes(plan, notes, samples, rng)
    if hits:
        stems["drums"] = _place_hits(plan, hits, samples, rng)
    rooms_s = {"drums": rng.uniform(0.12, 0.5), "bass": 0.0}
    hall_s = float(np.exp(rng.uniform(np.log(0.4), np.log(2.2))))
    heavy = plan.style.kit == "metal"
    for name, wave in stems.items():
        wet = rng.uniform(0.05, 0.3) if name == "drums" else rng.uniform(0.08, 0.35)
        _add_room(wave, rooms_s.get(name, hall_s), wet, rng)
        _compress(wave, rng.uniform(0.15, 0.6))
        goal_db = _LEVELS_DB[name] + 3 * (heavy and name == "other") + rng.uniform(-2.5, 2.5)
        wave *= np.float32(10 ** ((goal_db - _active_db(wave)) / 20))
    if plan.style.feel == "machine" and "drums" in stems and rng.random() < 0.7:
        duck = _ducking(hits, samples, rng.uniform(0.3, 0.85))
        for name in stems.keys() - {"drums"}:
            stems[name] *= duck
    _master(plan, stems, rng)
    return stems


def _place_notes(plan: Plan, notes: list[Note], samples: int, rng: Generator) -> dict[str, Wave]:
    table = timbres()
    longest: dict[tuple[str, float], float] = {}
    for note in notes:
        length_s = note.length_s + table[note.voice].release_s
        string = (note.voice, note.pitch)
        longest[string] = max(longest.get(string, 0.0), length_s)
    names = sorted({note.voice for note in notes})
    pans = {name: float(rng.uniform(-0.7, 0.7)) for name in names}
    pans = {name: pan * (table[name].stem == "other") for name, pan in pans.items()}
    levels = {name: 10 ** (rng.uniform(-2, 2) / 20) for name in names}
    wah_hz = float(rng.choice((1, 2, 3, 4))) / plan.bars[0].period_s
    stems: dict[str, Wave] = {}
    takes: dict[tuple[str, float, float], Wave] = {}
    for note in notes:
        timbre = table[note.voice]
        take = note.loudness if timbre.kind in ("voice", "growl") else round(note.loudness * 3) / 3
        key = (note.voice, note.pitch, take)
        sung = timbre.kind in ("voice", "growl") and not timbre.detune
        if sung or key not in takes:
            hz = 440 * 2 ** ((note.pitch - 69 + plan.tuning_cents / 100) / 12)
            length_s = note.length_s + timbre.release_s if sung else longest[note.voice, note.pitch]
            takes[key] = render(
                timbre, Sound(hz, length_s, max(0.2, take), note.glide, wah_hz), rng
            )
        if timbre.stem not in stems:
            stems[timbre.stem] = np.zeros((2, samples), dtype=np.float32)
        length_s = _until_splice(plan, note.start_s, note.length_s)
        release_s = timbre.release_s if length_s == note.length_s else 0.002
        wave = _released(takes[key], length_s, release_s) * np.float32(levels[note.voice])
        # Slow attacks are played early, as musicians do.
        _lay(stems[timbre.stem], wave, note.start_s - 0.2 * timbre.attack_s, pans[note.voice])
    return stems


def _until_splice(plan: Plan, start_s: float, length_s: float) -> float:
    for position in plan.spliced:
        splice_s = float(np.interp(position, plan.marks_beats, plan.marks_s))
        if start_s < splice_s - 0.03 and start_s + length_s > splice_s:
            return splice_s - start_s
    return length_s


def _released(take: Wave, length_s: float, release_s: float) -> Wave:
    end = min(len(take), int((length_s + release_s) * RATE_HZ))
    wave = take[:end].copy()
    fade = min(end, max(32, int(release_s * RATE_HZ)))
    wave[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32) ** 2
    return wave


def _lay(bus: Wave, wave: Wave, start_s: float, pan: float) -> None:
    start = max(0, int(start_s * RATE_HZ))
    wave = wave[: bus.shape[1] - start]
    angle = (pan + 1) * np.pi / 4
    bus[0, start : start + len(wave)] += np.float32(np.cos(angle)) * wave
    bus[1, start : start + len(wave)] += np.float32(np.sin(angle)) * wave


def _place_hits(plan: Plan, hits: list[Hit], samples: int, rng: Generator) -> Wave:
    kit = DrumKit(plan.style.kit, rng)
    bus = np.zeros((2, samples), dtype=np.float32)
    for turn, hit in enumerate(hits):
        _lay(bus, kit.strike(hit.piece, hit.loudness, turn), hit.time_s, kit.pans[hit.piece])
    return bus


def _add_room(wave: Wave, length_s: float, wet: float, rng: Generator) -> None:
    """Add the reverberation of a room that decays by 60 dB in `length_s`."""
    if not length_s:
        return
    time = np.arange(int(0.8 * length_s * RATE_HZ), dtype=np.float32) / RATE_HZ
    decay = np.exp(-6.9 * time / length_s)
    send = wave.mean(axis=0)
    for side in range(2):
        noise = rng.standard_normal(len(time)).astype(np.float32)
        noise = np.asarray(lfilter([0.5], [1, -0.5], noise), dtype=np.float32) * decay
        noise[: int(rng.uniform(0.003, 0.02) * RATE_HZ)] = 0
        noise *= np.float32(wet / np.sqrt(np.sum(noise**2)))
        wave[side] += oaconvolve(send, noise)[: wave.shape[1]].astype(np.float32)


def _blocks(wave: Wave) -> Wave:
    """Loudest sample of each block, both sides."""
    spare = -wave.shape[1] % _BLOCK
    loud = np.pad(np.max(np.abs(wave), axis=0), (0, spare))
    return np.asarray(loud.reshape(-1, _BLOCK).max(axis=1))


def _per_sample(blocks: Wave, samples: int) -> Wave:
    middle = (np.arange(len(blocks)) + 0.5) * _BLOCK
    return np.interp(np.arange(samples), middle, blocks).astype(np.float32)


def _compress(wave: Wave, amount: float) -> None:
    level = uniform_filter1d(_blocks(wave), 9)
    release = np.exp(-_BLOCK / (0.15 * RATE_HZ))
    level = np.maximum(level, lfilter([1 - release], [1, -release], level))
    over = np.maximum(level / (0.5 * np.percentile(level, 95) + 1e-6), 1.0)
    wave *= _per_sample((over**-amount).astype(np.float32), wave.shape[1])


def _active_db(wave: Wave) -> float:
    """Level of the louder half of a stem's sounding tenths of a second."""
    size = RATE_HZ // 10
    power = np.mean(wave[:, : wave.shape[1] // size * size].reshape(2, -1, size) ** 2, axis=(0, 2))
    power = power[power > np.max(power) * 1e-3]
    return float(10 * np.log10(np.mean(np.sort(power)[len(power) // 2 :]) + 1e-12))


def _ducking(hits: list[Hit], samples: int, depth: float) -> Wave:
    time = (np.arange(samples // _BLOCK + 1) * _BLOCK / RATE_HZ).astype(np.float32)
    kicks = np.array(sorted(hit.time_s for hit in hits if hit.piece == "kick") or [1e9])
    since = np.searchsorted(kicks, time, side="right") - 1
    passed = np.where(since >= 0, time - kicks[np.maximum(since, 0)], 9.0)
    return _per_sample((1 - depth * np.exp(-passed / 0.11)).astype(np.float32), samples)


def _master(plan: Plan, stems: dict[str, Wave], rng: Generator) -> None:
    """Bring the sum of the stems to its loudness, limit it, and fade it out."""
    heavy = plan.style.kit == "metal"
    low_db, high_db = (-23, -16) if plan.style.form in _SOFT else _MASTERS_DB[plan.style.feel]
    goal_db = rng.uniform(-11, -8) if heavy else rng.uniform(low_db, high_db)
    total = np.sum(list(stems.values()), axis=0)
    gain = 10 ** ((goal_db - _active_db(total)) / 20)
    peaks = _blocks(total) * gain
    ceiling = rng.uniform(0.85, 0.97)
    # A gain that is lowest over a window, then averaged over the same window, never exceeds the
    # gain that a peak allows.
    window = 31
    held = maximum_filter1d(peaks, 2 * window + 1)
    limit = uniform_filter1d(np.minimum(1.0, ceiling / np.maximum(held, 1e-6)), window)
    curve = gain * limit
    if plan.fades:
        length = int(rng.uniform(4, 8) * RATE_HZ / _BLOCK)
        curve[-length:] *= np.linspace(1, 0.03, length) ** 1.3
    curve[-150:] *= np.linspace(1, 0, 150)
    curve[:2] *= (0.0, 0.5)
    shape = _per_sample(curve.astype(np.float32), total.shape[1])
    for wave in stems.values():
        wave *= shape
