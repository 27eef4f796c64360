"""A singer: glottal pulses and noise through a moving vocal tract.

The tract is a cascade of resonances (D. Klatt, "Software for a cascade/parallel formant
synthesizer", JASA 67, 1980). Pulses and tract are evaluated at the harmonics of the sung pitch and
the harmonics are summed, so nothing aliases and formants may move freely.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter1d

from synth.core import RATE_HZ, Signal, samples
from synth.glottis import HARMONICS, pulse_spectrum
from synth.phonemes import PHONEMES, Gesture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

HOP = 128
"""Samples from one frame of the control tracks to the next."""

_FRAME_HZ = RATE_HZ / HOP
_TOP_HZ = 13_000.0


@dataclass(frozen=True)
class Sung:
    """A sung syllable: its vowel starts at `start_s`, its first consonants before that."""

    start_s: float
    duration_s: float
    pitch_hz: float
    syllable: str
    level: float = 1.0


@dataclass(frozen=True)
class Singer:
    """Voice of a singer.

    Attributes:
        tract: formant frequencies relative to those of the table; 1 a man, 1.17 a woman.
        shape: Fant's Rd of the loudest notes; 0.7 is pressed, 2 is soft.
        breath: level of the noise in the voice.
        vibrato_cents: depth of the vibrato on long notes.
        vibrato_hz: its rate.
        scoop_cents: how far below its first note a phrase starts.
        seed: fixes jitter, shimmer, drift and noise.
    """

    tract: float = 1.0
    shape: float = 0.9
    breath: float = 0.02
    vibrato_cents: float = 28.0
    vibrato_hz: float = 5.4
    scoop_cents: float = 130.0
    seed: int = 0


def sing(notes: Sequence[Sung], singer: Singer, duration_s: float) -> Signal:
    """Sing `notes`, which follow one another in time.

    Returns:
        Mono signal of `duration_s`.
    """
    out = np.zeros(samples(duration_s) + RATE_HZ)
    rng = np.random.default_rng(singer.seed)
    for phrase in _phrases(notes):
        lead_in_s = min(0.5, phrase[0].start_s)
        origin_s = phrase[0].start_s - lead_in_s
        shifted = [
            Sung(n.start_s - origin_s, n.duration_s, n.pitch_hz, n.syllable, n.level)
            for n in phrase
        ]
        sound = _sing_phrase(shifted, singer, rng)
        start = round(origin_s * RATE_HZ)
        stop = min(start + len(sound), len(out))
        out[start:stop] += sound[: stop - start]
    return out[: samples(duration_s)]


def _phrases(notes: Sequence[Sung]) -> list[list[Sung]]:
    phrases: list[list[Sung]] = []
    for note in notes:
        if phrases:
            last = phrases[-1][-1]
            if note.start_s - (last.start_s + last.duration_s) < 0.4:
                phrases[-1].append(note)
                continue
        phrases.append([note])
    return phrases


@dataclass(frozen=True)
class _Placed:
    start_s: float
    gesture: Gesture
    formants_hz: tuple[float, float, float]


def _gestures(phrase: Sequence[Sung]) -> list[_Placed]:
    """The gestures of a phrase in order; each lasts until the next one starts."""
    first = PHONEMES[phrase[0].syllable.split()[0]].gestures[0]
    placed = [_Placed(0.0, Gesture(), first.formants_hz or (500.0, 1500.0, 2500.0))]
    for index, note in enumerate(phrase):
        names = note.syllable.split()
        nucleus = next(i for i, name in enumerate(names) if PHONEMES[name].vowel)
        onset = [g for name in names[:nucleus] for g in PHONEMES[name].gestures]
        coda = [g for name in names[nucleus + 1 :] for g in PHONEMES[name].gestures]
        vowel = PHONEMES[names[nucleus]].gestures
        targets = [gesture.formants_hz for gesture in vowel if gesture.formants_hz]

        end_s = note.start_s + note.duration_s
        if index + 1 < len(phrase):
            end_s = min(end_s, phrase[index + 1].start_s - _onset_s(phrase[index + 1].syllable))
        coda_s = max(end_s - sum(g.duration_s for g in coda), note.start_s + 0.07)

        time_s = max(0.001, note.start_s - _onset_s(note.syllable))
        for gesture in onset:
            placed.append(_Placed(time_s, gesture, gesture.formants_hz or targets[0]))
            time_s += gesture.duration_s
        placed.append(_Placed(note.start_s, vowel[0], targets[0]))
        if len(targets) > 1:
            glide_s = min(0.45 * (coda_s - note.start_s), 0.22)
            placed.append(_Placed(coda_s - glide_s, vowel[1], targets[1]))
        time_s = coda_s
        for gesture in coda:
            placed.append(_Placed(time_s, gesture, gesture.formants_hz or targets[-1]))
            time_s += gesture.duration_s
        placed.append(_Placed(time_s, Gesture(), targets[-1]))
    return placed


def _onset_s(syllable: str) -> float:
    total = 0.0
    for name in syllable.split():
        if PHONEMES[name].vowel:
            break
        total += sum(gesture.duration_s for gesture in PHONEMES[name].gestures)
    return total


def _sing_phrase(phrase: Sequence[Sung], singer: Singer, rng: np.random.Generator) -> Signal:
    frames = int((phrase[-1].start_s + phrase[-1].duration_s + 0.5) * _FRAME_HZ)
    placed = _gestures(phrase)
    starts = np.array([p.start_s for p in placed]) * _FRAME_HZ
    which = np.searchsorted(starts, np.arange(frames), side="right") - 1

    def track(values: list[float], smooth_s: float) -> Signal:
        return np.asarray(gaussian_filter1d(np.array(values)[which], smooth_s * _FRAME_HZ))

    voice = track([p.gesture.voice for p in placed], 0.011)
    level = _level(phrase, frames, rng)
    pitch_hz = _pitch(phrase, singer, frames, rng)
    tract = _tract(placed, which, singer, pitch_hz)
    breath = track([p.gesture.breath for p in placed], 0.008) + singer.breath * voice
    breath += _inhalation(phrase, frames)
    hiss = track([p.gesture.hiss for p in placed], 0.004)
    hiss_hz = track([p.gesture.hiss_hz for p in placed], 0.004)
    width_hz = track([p.gesture.hiss_width_hz for p in placed], 0.004)

    phase = np.cumsum(np.repeat(pitch_hz, HOP)) / RATE_HZ
    voiced = _harmonics(tract, pitch_hz, phase, voice * level, singer)
    bins_hz = np.fft.rfftfreq(4 * HOP, 1 / RATE_HZ)[None]
    through_tract = np.abs(tract.response(np.repeat(bins_hz, frames, 0)))
    through_tract *= (breath * level)[:, None] / (1 + (bins_hz / 9_000) ** 4)
    teeth = np.exp(-0.5 * ((bins_hz - hiss_hz[:, None]) / (0.5 * width_hz[:, None])) ** 2)
    aspiration = _shaped_noise(0.05 * through_tract, rng)
    open_share = np.interp(np.arange(frames * HOP), np.arange(frames) * HOP, voice)
    pulse = 1 + 0.6 * open_share * np.cos(2 * np.pi * phase)
    frication = _shaped_noise(0.09 * teeth * (hiss * np.sqrt(level))[:, None], rng)
    return voiced + aspiration * pulse + frication


def _level(phrase: Sequence[Sung], frames: int, rng: np.random.Generator) -> Signal:
    time_s = np.arange(frames) / _FRAME_HZ
    level = np.full(frames, phrase[0].level)
    for note in phrase:
        into = np.clip((time_s - note.start_s) / note.duration_s, 0, 1)
        level = np.where(time_s >= note.start_s - 0.05, note.level * (1 - 0.25 * into**2), level)
    level = gaussian_filter1d(level, 0.03 * _FRAME_HZ)
    shimmer = gaussian_filter1d(rng.standard_normal(frames), 1.5)
    return np.asarray(level * (1 + 0.04 * shimmer))


def _pitch(phrase: Sequence[Sung], singer: Singer, frames: int, rng: np.random.Generator) -> Signal:
    time_s = np.arange(frames) / _FRAME_HZ
    cents = np.full(frames, 1200 * np.log2(phrase[0].pitch_hz))
    depth = np.zeros(frames)
    for note in phrase:
        cents[time_s >= note.start_s - 0.04] = 1200 * np.log2(note.pitch_hz)
        held = (time_s >= note.start_s) & (time_s < note.start_s + note.duration_s)
        rise = np.clip((time_s - note.start_s - 0.22) / 0.35, 0, 1)
        depth = np.where(held, rise, depth * (time_s < note.start_s))
    cents = gaussian_filter1d(cents, 0.024 * _FRAME_HZ)
    cents -= singer.scoop_cents * np.exp(-np.clip(time_s - phrase[0].start_s, 0, None) / 0.07)
    wander = gaussian_filter1d(rng.standard_normal(frames), 0.09 * _FRAME_HZ)
    wander *= 7 / max(float(np.std(wander)), 1e-9)
    jitter = 6 * gaussian_filter1d(rng.standard_normal(frames), 1.2)
    rate = singer.vibrato_hz * (1 + 0.004 * wander)
    swing = np.sin(2 * np.pi * np.cumsum(rate) / _FRAME_HZ + rng.uniform(0, 6))
    depth = gaussian_filter1d(depth, 0.03 * _FRAME_HZ) * singer.vibrato_cents
    return np.asarray(2 ** ((cents + depth * swing + wander + jitter) / 1200))


def _inhalation(phrase: Sequence[Sung], frames: int) -> Signal:
    """A short breath that ends where the first consonant starts."""
    end_s = phrase[0].start_s - _onset_s(phrase[0].syllable) - 0.06
    time_s = np.arange(frames) / _FRAME_HZ
    return np.asarray(0.05 * np.exp(-0.5 * ((time_s - end_s + 0.12) / 0.06) ** 2))


@dataclass(frozen=True)
class _Tract:
    """Resonances (and one zero) for each frame; shapes `(frames, resonances)`, `(frames,)`."""

    formants_hz: Signal
    widths_hz: Signal
    zero_hz: Signal
    zero_depth: Signal

    def response(self, frequency_hz: Signal) -> NDArray[np.complex128]:
        """Complex gain at `(frames, frequencies)`."""
        gain = np.ones(frequency_hz.shape, dtype=np.complex128)
        square = frequency_hz**2
        for index in range(self.formants_hz.shape[1]):
            centre = self.formants_hz[:, index, None]
            width = self.widths_hz[:, index, None]
            peak = centre**2 + width**2 / 4
            gain *= peak / (peak - square + 1j * frequency_hz * width)
        zero = self.zero_hz[:, None]
        notch = (zero**2 - square + 90j * frequency_hz) / (zero**2 - square + 900j * frequency_hz)
        depth = self.zero_depth[:, None]
        return np.asarray(gain * (1 - depth + depth * notch))


def _tract(placed: list[_Placed], which: NDArray[np.intp], singer: Singer, f0: Signal) -> _Tract:
    moving = np.array([p.formants_hz for p in placed])[which] * singer.tract
    moving = gaussian_filter1d(moving, 0.02 * _FRAME_HZ, axis=0)
    # Singers open the mouth before the pitch passes the first formant.
    moving[:, 0] = np.maximum(moving[:, 0], 1.04 * f0)
    moving[:, 1] = np.maximum(moving[:, 1], moving[:, 0] + 200)
    still = np.array([3_350, 4_150, 5_200, 6_300, 7_400, 8_500, 9_600, 10_700]) * singer.tract**0.7
    formants_hz = np.concatenate((moving, np.repeat(still[None], len(which), 0)), axis=1)
    widths_hz = 45 + 0.035 * formants_hz + 1.5e-6 * formants_hz**2
    nasal = [p.gesture.zero_hz for p in placed]
    zero_hz = np.array([z or 1_500.0 for z in nasal])[which]
    depth = np.array([0.0 if z is None else 1.0 for z in nasal])[which]
    return _Tract(formants_hz, widths_hz, zero_hz, gaussian_filter1d(depth, 0.012 * _FRAME_HZ))


def _harmonics(
    tract: _Tract, pitch_hz: Signal, phase: Signal, level: Signal, singer: Singer
) -> Signal:
    """Sum of the harmonics of the voice, each with its own moving complex amplitude."""
    count = int(min(HARMONICS, _TOP_HZ // pitch_hz.min()))
    frequency_hz = pitch_hz[:, None] * np.arange(1, count + 1)
    amplitude = tract.response(frequency_hz)
    amplitude *= pulse_spectrum(singer.shape + 0.9 * (1 - level), count)
    amplitude /= 1 + (frequency_hz / (0.85 * _TOP_HZ)) ** 8
    # Open vowels are louder than closed ones; a singer evens out most of that.
    power = gaussian_filter1d(np.sqrt((np.abs(amplitude) ** 2).sum(axis=1)), 0.02 * _FRAME_HZ)
    amplitude *= (0.25 * level * power**-0.8)[:, None]

    ramp = np.arange(HOP) / HOP
    turn = np.exp(2j * np.pi * phase)
    rotor = np.ones_like(turn)
    out = np.zeros(len(phase))
    for index in range(count):
        rotor = rotor * turn
        now = amplitude[:, index]
        step = np.diff(now, append=now[-1:])
        moving = (now[:, None] + step[:, None] * ramp).ravel()
        out += moving.real * rotor.real - moving.imag * rotor.imag
    return out


def _shaped_noise(magnitude: Signal, rng: np.random.Generator) -> Signal:
    """Noise whose spectrum follows `magnitude`, of shape `(frames, bins)`."""
    frames, size = len(magnitude), 4 * HOP
    window = np.sqrt(np.hanning(size + 1)[:-1] * 0.5)
    padded = np.zeros((frames + 4) * HOP)
    source = rng.standard_normal(len(padded))
    index = np.arange(frames)[:, None] * HOP + np.arange(size)
    pieces = np.fft.irfft(np.fft.rfft(source[index] * window) * magnitude) * window
    for part in range(4):
        block = pieces[:, part * HOP : (part + 1) * HOP].ravel()
        padded[part * HOP : part * HOP + len(block)] += block
    return padded[size // 2 : size // 2 + frames * HOP]
