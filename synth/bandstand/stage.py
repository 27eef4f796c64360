"""Plays a plan: renders its parts, balances them, and masters with one gain for all stems."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from mashup_worker.audio.signal import Audio
from synth import drums
from synth.bandstand.comping import Comp, voicing
from synth.bandstand.harmony import home
from synth.bandstand.voices import VOICES, Sampler
from synth.core import RATE_HZ, Signal, band, decibels, noise, samples
from synth.effects import limiter_gain, pump, reverb
from synth.song import Song
from synth.timeline import Track

if TYPE_CHECKING:
    from synth.bandstand.plan import Part, Plan

_CEILING = 0.89
_PLACES = {"hat": 0.3, "open": 0.3, "ride": -0.35, "shaker": -0.5, "rim": 0.1, "crash": 0.4}
_LEVELS = {
    "kick": 0.9, "snare": 0.7, "clap": 0.6, "rim": 0.6, "hat": 0.3, "open": 0.28, "ride": 0.26,
    "shaker": 0.25, "tom": 0.6, "crash": 0.35,
}  # fmt: skip


def perform(plan: Plan) -> Song:
    """Render a plan."""
    rng = np.random.default_rng([plan.seed, 0x50C])
    stems: dict[str, Signal] = {}
    for part, level_db in zip(plan.parts, plan.mix.part_db, strict=True):
        sound = _play_part(plan, part, rng)
        if part.stem == "bass":
            stems["bass"] = sound
            continue
        sound *= decibels(level_db) * 0.1 / _loudness(sound)
        stems["other"] = stems["other"] + sound if "other" in stems else sound
    if plan.form.lead_in in ("noise", "pad"):
        stems["other"] += _lead_in(plan, rng)
    if plan.mix.wet:
        wet = reverb(stems["other"], rng, decay_s=plan.mix.decay_s)
        stems["other"] += plan.mix.wet * _loudness(stems["other"]) / _loudness(wet) * wet
    if "bass" in stems:
        ratio = _loudness(stems["other"]) / _loudness(stems["bass"])
        stems["bass"] *= decibels(plan.mix.bass_db) * ratio
    _duck(plan, stems)
    if plan.strikes:
        struck = _play_drums(plan, rng)
        rest = np.sum(list(stems.values()), axis=0)
        stems["drums"] = struck * decibels(plan.mix.drums_db) * _loudness(rest) / _loudness(struck)
    return _master(plan, stems)


def _loudness(sound: Signal) -> float:
    """Root mean square of the tenths of a second that are not silent."""
    frame = RATE_HZ // 10
    whole = sound.shape[1] // frame * frame
    power = np.square(sound[:, :whole]).reshape(2, -1, frame).mean(axis=(0, 2))
    heard = power[power > 0.01 * power.max()]
    return float(np.sqrt(heard.mean()) if len(heard) else 1.0) + 1e-9


def _play_part(plan: Plan, part: Part, rng: np.random.Generator) -> Signal:
    voice = VOICES[part.voice]
    track = Track(plan.duration_s)
    sampler = Sampler(voice, rng, plan.truth.tuning_cents)
    needed_s = max(note.duration_s for note in part.notes)
    for note in part.notes:
        sound = sampler.note(note.midi, note.duration_s, needed_s)
        at_s = max(0.0, note.at_s - voice.early_s)
        track.add(sound, at_s, note.velocity**1.3, part.position)
    return track.sound


def _play_drums(plan: Plan, rng: np.random.Generator) -> Signal:
    kit = _kit(rng, plan.form.style.name, {strike.drum for strike in plan.strikes})
    track = Track(plan.duration_s)
    for strike in plan.strikes:
        takes = kit[strike.drum]
        gain = _LEVELS[strike.drum] * strike.velocity**1.2
        place = _PLACES.get(strike.drum, 0.0)
        track.add(takes[int(rng.integers(len(takes)))], strike.at_s, gain, place)
    return track.sound


def _kit(rng: np.random.Generator, style: str, names: set[str]) -> dict[str, list[Signal]]:
    """A few takes of each drum, tuned for this song."""
    electronic = style in ("disco", "trance", "hip-hop")
    length = rng.uniform(0.08, 0.13) if electronic else rng.uniform(0.05, 0.09)
    tone, hat = rng.uniform(45, 62), rng.uniform(0.85, 1.2)
    head, wires = rng.uniform(160, 230), rng.uniform(0.55, 0.85)
    bright = rng.uniform(7_000, 11_000)

    def take(name: str) -> Signal:
        if name == "kick":
            return drums.kick(rng, tone_hz=tone, half_life_s=length, click=rng.uniform(0.2, 0.4))
        if name == "snare":
            return drums.snare(rng, tone_hz=head, wires=wires, bright_hz=bright)
        if name == "tom":
            return drums.kick(rng, tone_hz=1.9 * tone, punch_hz=70, half_life_s=0.08, click=0.15)
        if name in ("hat", "open"):
            return drums.hat(rng, half_life_s=0.018 if name == "hat" else 0.06, pitch=hat)
        if name == "crash":
            return drums.cymbal(rng, duration_s=2.0)
        plain = {"clap": drums.clap, "rim": drums.rim, "ride": drums.ride, "shaker": drums.shaker}
        return plain[name](rng)

    counts = {"kick": 2, "snare": 3, "hat": 4, "crash": 1}
    return {name: [take(name) for _ in range(counts.get(name, 2))] for name in sorted(names)}


def _lead_in(plan: Plan, rng: np.random.Generator) -> Signal:
    """Something without a rhythm before the first beat: a swell of noise, or of the tonic chord."""
    track = Track(plan.duration_s)
    length_s = plan.form.lead_in_s
    swell = np.linspace(0.1, 1, samples(length_s)) ** 1.5
    swell[-samples(0.05) :] *= np.linspace(1, 0, samples(0.05))
    if plan.form.lead_in == "noise":
        hiss = band(noise(rng, length_s), 300, float(rng.uniform(2_000, 8_000)))
        track.add(hiss * swell, 0.0, float(rng.uniform(0.03, 0.12)))
        return track.sound
    sampler = Sampler(VOICES["pad"], rng, plan.truth.tuning_cents)
    for midi in voicing(plan.form, home(plan.form.mode), Comp("pad", ("pad",), lowest=52)):
        sound = sampler.note(midi, length_s, length_s)[:, : len(swell)]
        track.add(sound * swell[: sound.shape[1]], 0.0, 0.15)
    return track.sound


def _duck(plan: Plan, stems: dict[str, Signal]) -> None:
    kicks = [strike.at_s for strike in plan.strikes if strike.drum == "kick"]
    if plan.mix.pump_db and kicks:
        length = samples(plan.duration_s)
        recover_s = min(0.28, 0.8 * plan.form.beat_s)
        gain = pump(length, kicks, depth_db=plan.mix.pump_db, recover_s=recover_s)
        for name in stems:
            stems[name] *= gain


def _master(plan: Plan, stems: dict[str, Signal]) -> Song:
    mix = np.sum(list(stems.values()), axis=0)
    gain = _CEILING * decibels(plan.mix.drive_db) / (np.abs(mix).max() + 1e-9)
    gain = gain * limiter_gain(gain * mix, _CEILING)
    tail = samples(0.05)
    gain[-tail:] *= np.linspace(1, 0, tail)
    mastered = {
        name: torch.from_numpy((gain * sound).astype(np.float32))
        for name, sound in sorted(stems.items())
    }
    total = torch.stack(list(mastered.values())).sum(dim=0)
    return Song(
        name=f"bandstand-{plan.seed:04d}",
        mix=Audio(total, RATE_HZ),
        stems={name: Audio(sound, RATE_HZ) for name, sound in mastered.items()},
        truth=plan.truth,
    )
