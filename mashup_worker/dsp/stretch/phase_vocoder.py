"""Time-stretching on tensors: a phase vocoder with phase locking and transient preservation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torchaudio.functional import resample

from mashup_worker.dsp.pieces import samples_at_once
from mashup_worker.dsp.stft import OverlapAdd, frame_count
from mashup_worker.dsp.stretch.engine import check, exactly
from mashup_worker.dsp.stretch.formants import formant_gains
from mashup_worker.dsp.stretch.phase_locking import leading_peaks, rotations, unit
from mashup_worker.dsp.stretch.transients import find_attacks, hold_attacks, rising_map

if TYPE_CHECKING:
    from torch import Tensor

    from mashup_worker.audio.signal import Audio
    from mashup_worker.dsp.stretch.engine import Change
    from mashup_worker.dsp.stretch.time_map import TimeMap

_WINDOW_S = 0.093
"""4096 samples at 44.1 kHz: resolves the tones of a chord down to the second octave."""

_HOPS_A_WINDOW = 4
_HELD_BEFORE, _HELD_AFTER = 0.4, 0.3
"""Part of a window that is held around an attack. Frames further away hardly contain it."""

_RISE = 2.0
"""Growth of a bin's power at which an attack counts as a new sound."""

_LEAD = 1 / 32
"""Of a window: from where to an attack the power after it counts. The ends of a window are 0, and
a click must not fall there."""

_DENOMINATORS = (50, 100, 200, 400, 800, 1600)
_NEAR_CENTS = 0.3
"""A change of pitch is the first fraction so near: the resampler works longer for large ones."""

_RESAMPLER_ZEROS = 24
"""Zero crossings of its sinc on either side: 0.1 dB at 20 kHz and 44.1 kHz."""


@dataclass(frozen=True)
class TensorStretcher:
    """Phase vocoder with identity phase locking, on the CPU or on CUDA.

    Frames of the copy are evenly spaced. Each is taken from the position of the sound that the time
    map gives, and rotated to continue the frame before it. The rotation follows from the sound one
    hop earlier, so no frequency is estimated and no phase unwrapped. All channels rotate by the
    same angles and keep their phase relations.

    Around attacks the sound is played at its own speed, and bins that start with the attack take
    the phase of the sound. A. Röbel, "A new approach to transient processing in the phase vocoder",
    DAFx 2003, resets bins likewise, without holding the time.

    Pitch is shifted by stretching and resampling.
    """

    name: str = "tensor"

    def stretch(self, audio: Audio, change: Change) -> Audio:
        """Return the changed sound; see `StretchEngine.stretch`."""
        check(audio, change)
        if change.is_nothing:
            return audio
        pitch = _pitch_factor(change.semitones)
        shift = float(pitch) if change.keep_formants else 1.0
        stretched = _stretched(audio, _longer(change.time_map, pitch), shift)
        if pitch != 1:
            stretched = resample(
                stretched, pitch.numerator, pitch.denominator, lowpass_filter_width=_RESAMPLER_ZEROS
            )
        return exactly(stretched, audio, change.time_map.target_samples)


def _pitch_factor(semitones: float) -> Fraction:
    factor = Fraction(2 ** (semitones / 12))
    fractions = [factor.limit_denominator(largest) for largest in _DENOMINATORS]
    near = (one for one in fractions if abs(1200 * math.log2(one / factor)) < _NEAR_CENTS)
    return next(near, fractions[-1])


def _longer(time_map: TimeMap, factor: Fraction) -> TimeMap:
    targets = [round(one * factor) for one in time_map.target]
    points = zip(time_map.source, targets, strict=True)
    return rising_map(points, (time_map.source_samples, max(1, targets[-1])))


def _stretched(audio: Audio, time_map: TimeMap, formant_shift: float) -> Tensor:
    frames = _Frames(audio, time_map)
    length, hop = time_map.target_samples, frames.hop_samples
    early = frames.window.shape[0] - hop
    overlap = OverlapAdd(frames.window, hop)
    out = audio.samples.new_empty(audio.channels, early + frames.count * hop)
    last, rotation = frames.silence(), frames.silence()[0, 0] + 1
    at_once = max(1, samples_at_once(out.device) // hop)
    for first in range(0, frames.count, at_once):
        frame = torch.arange(first, min(first + at_once, frames.count), device=out.device)
        spectra, ahead = frames.spectra(frame)
        before = torch.cat([last, spectra[:, :-1]], dim=1)
        last = spectra[:, -1:]
        power = _power(spectra)
        leaders, turns = frames.held(frame, leading_peaks(power), _turns(before, ahead))
        turned = rotations(rotation, leaders, turns)
        rotation = turned[-1]
        if formant_shift != 1:
            turned = turned * formant_gains(power, formant_shift, audio.sample_rate)
        out[:, first * hop : (first + len(frame)) * hop] = overlap.push(spectra * turned)
    return out[:, early : early + length]


def _power(spectra: Tensor) -> Tensor:
    return (spectra.real.square() + spectra.imag.square()).sum(0)


def _turns(before: Tensor, ahead: Tensor) -> Tensor:
    """Return turns to frames from a hop before; weighted by power, so that no channels cancel."""
    return unit((before * ahead.conj()).sum(0))


class _Frames:
    """Frames of a sound for a stretched copy; frame 0 begins a window minus a hop before it."""

    def __init__(self, audio: Audio, time_map: TimeMap) -> None:
        device = audio.samples.device
        size = 2 ** max(4, round(math.log2(_WINDOW_S * audio.sample_rate)))
        self.window: Tensor = torch.hann_window(size, device=device)
        self.hop_samples = size // _HOPS_A_WINDOW
        self.count = frame_count(time_map.target_samples, size, self.hop_samples)
        held = hold_attacks(
            time_map,
            find_attacks(audio),
            round(_HELD_BEFORE * size),
            after_samples=round(_HELD_AFTER * size),
        )
        self._held = held
        # Frames before and after the sound are silent, and so is what is a hop before them.
        self._before = size + self.hop_samples
        self._padded = F.pad(audio.samples, (self._before, size))
        self._windows = self._padded.unfold(1, size, 1)
        # The first frame whose center is held; bins restart with it.
        first = self._center(torch.zeros_like(held.starts))
        self._resets = -((first - held.starts) // self.hop_samples)

    def silence(self) -> Tensor:
        return self._spectra(torch.zeros(1, dtype=torch.int64, device=self.window.device))

    def spectra(self, frame: Tensor) -> tuple[Tensor, Tensor]:
        """Return spectra `(channels, frames, bins)` of frames, and of the sound a hop before."""
        source = self._held.time_map.source_at(self._center(frame)).round().long()
        start = source + self._before - len(self.window) // 2
        start = start.clamp(self.hop_samples, self._windows.shape[1] - 1)
        return self._spectra(start), self._spectra(start - self.hop_samples)

    def held(self, frame: Tensor, leaders: Tensor, turns: Tensor) -> tuple[Tensor, Tensor]:
        """Adjust leaders and turns around attacks, both `(frames, bins)`.

        While the sound is played at its own speed, every bin continues unchanged. Before that, bins
        that start with the attack take the phase of the sound.
        """
        held, bins = self._held, leaders.shape[1]
        centre = self._center(frame)
        attack = torch.searchsorted(held.starts, centre, right=True)
        same = attack == torch.searchsorted(held.starts, centre - self.hop_samples, right=True)
        stop = F.pad(held.stops, (1, 0), value=-len(self.window))[attack]
        steady = (same & (centre <= stop))[:, None]
        leaders = leaders.where(~steady, torch.arange(bins, device=leaders.device))
        turns = turns.masked_fill(steady, 1)
        near = (self._resets >= frame[0]) & (self._resets <= frame[-1])
        if near.any():
            anew = torch.zeros(leaders.shape, device=leaders.device).index_add_(
                0, self._resets[near] - frame[0], self._begins_anew(held.attacks[near])
            )
            leaders = leaders.masked_fill(anew > 0, bins)
        return leaders, turns

    def _begins_anew(self, attack: Tensor) -> Tensor:
        """Return 1.0 for bins whose power rises with attacks, `(attacks,)` to `(attacks, bins)`."""
        size = len(self.window)
        short = torch.hann_window(size // 4, device=attack.device)
        start = attack + self._before - size // 4 - round(_LEAD * size)
        around = self._padded.unfold(1, size // 2, 1)[:, start]
        spectra = torch.fft.rfft(around.unflatten(-1, (2, -1)) * short, n=size)
        before, after = _power(spectra.flatten(1, 2)).unflatten(0, (-1, 2)).unbind(1)
        # Smoothed over a bin of the short window, because noise has gaps.
        before, after = (
            F.avg_pool1d(one, 9, 1, 4, count_include_pad=False) for one in (before, after)
        )
        return (after > _RISE * before).float()

    def _center(self, frame: Tensor) -> Tensor:
        centre: Tensor = (frame + 1) * self.hop_samples - len(self.window) // 2
        return centre

    def _spectra(self, start: Tensor) -> Tensor:
        spectra: Tensor = torch.fft.rfft(self._windows[:, start] * self.window)
        return spectra
