"""Features of a song that are compared to find songs that fit together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from mashup_worker.analysis.onsets import RATE_HZ as ONSET_RATE_HZ
from mashup_worker.audio.resample import resample
from mashup_worker.audio.signal import Audio
from mashup_worker.dsp.stft import stft
from mashup_worker.mixing.planning.harmony import song_pitch_profile
from mashup_worker.mixing.song import DRUMS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

    from mashup_worker.mixing.song import MixSong

_STEPS_PER_BAR = 16
_BANDS_HZ = (200.0, 400.0, 800.0, 1_600.0, 3_200.0, 6_400.0)
_WINDOW_SAMPLES = 2048


@dataclass(frozen=True, eq=False, kw_only=True)
class SongFeatures:
    """Features of a song, computed once for all comparisons.

    Pitch-class profiles `(12,)`, shares of energy by band `(bands,)`, and onset strength at each
    sixteenth of a bar `(16,)` add up to 1.
    """

    song: MixSong
    vocal_pitches: Tensor
    backing_pitches: Tensor
    accents: Tensor
    vocal_bands: Tensor
    backing_bands: Tensor

    @classmethod
    def of(cls, song: MixSong) -> SongFeatures:
        """Measure a song; where it has no vocals or no instruments, all its stems replace them."""
        instruments = [stem.audio for stem in song.instruments.values()]
        vocals = [song.vocals.audio] if song.vocals else instruments
        backing_pitches = song_pitch_profile([song], vocals=False)
        vocal_pitches = song_pitch_profile([song], vocals=True) if song.vocals else backing_pitches
        drums = song.stems.get(DRUMS)
        return cls(
            song=song,
            vocal_pitches=vocal_pitches,
            backing_pitches=backing_pitches if float(backing_pitches.sum()) else vocal_pitches,
            accents=bar_accents(song, [drums.audio] if drums else instruments or vocals),
            vocal_bands=band_shares(vocals),
            backing_bands=band_shares(instruments or vocals),
        )


def bar_accents(song: MixSong, stems: Iterable[Audio]) -> Tensor:
    """Return the onset strength at each sixteenth of a bar: float64 `(16,)`, sum 1 or 0."""
    total = torch.zeros(_STEPS_PER_BAR, dtype=torch.float64)
    for audio in stems:
        mono = resample(_mono(audio), ONSET_RATE_HZ).samples[0]
        hop = ONSET_RATE_HZ // 200
        power = mono[: len(mono) // hop * hop].view(-1, hop).square().mean(1)
        rise = (power + 1e-8).log().diff(prepend=power[:1].add(1e-8).log()).relu()
        weight = (rise * power.sqrt()).double()
        times = torch.arange(len(weight)) * hop / ONSET_RATE_HZ
        bars = torch.tensor([song.grid.bar_at(float(at)) for at in times], dtype=torch.float64)
        step = torch.round((bars % 1) * _STEPS_PER_BAR).long() % _STEPS_PER_BAR
        total.index_add_(0, step, weight)
    return total / total.sum().clamp_min(1e-12)


def band_shares(stems: Iterable[Audio]) -> Tensor:
    """Return the share of energy in each octave from 200 to 6,400 Hz: float64, sum 1 or 0."""
    total = torch.zeros(len(_BANDS_HZ) - 1, dtype=torch.float64)
    window = torch.hann_window(_WINDOW_SAMPLES)
    for audio in stems:
        mono = _mono(audio).samples[0]
        if len(mono) < _WINDOW_SAMPLES:
            continue
        power = stft(mono, window, _WINDOW_SAMPLES).abs().square().sum(0).double()
        hz = torch.arange(len(power)) * audio.sample_rate / _WINDOW_SAMPLES
        band = torch.bucketize(hz, torch.tensor(_BANDS_HZ)) - 1
        inside = (band >= 0) & (band < len(total))
        total.index_add_(0, band[inside], power[inside])
    return total / total.sum().clamp_min(1e-12)


def _mono(audio: Audio) -> Audio:
    return Audio(audio.samples.mean(0, keepdim=True).cpu(), audio.sample_rate)
