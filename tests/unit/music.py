"""Small music whose beats, chords and onsets are known, at 22,050 Hz unless said otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from mashup_worker.audio.signal import Audio

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    Times = NDArray[np.float64]

RATE_HZ = 22_050
MAJOR, MINOR = (0, 4, 7), (0, 3, 7)


def even_beats(tempo_bpm: float, duration_s: float, start_s: float = 0.3) -> Times:
    """Beats of one tempo from a start to just before the end."""
    return np.arange(start_s, duration_s - 0.1, 60 / tempo_bpm)


def beats_along(tempi_bpm: Sequence[float], start_s: float = 0.3) -> Times:
    """Beats whose distances are those of a tempo each."""
    return start_s + np.concatenate([[0.0], np.cumsum(60 / np.asarray(tempi_bpm))])


def placed(sound: Tensor, times_s: Iterable[float], duration_s: float, sample_rate: int) -> Tensor:
    """A sound started at each time, shape `(samples,)`; what runs past the end is cut."""
    out = torch.zeros(round(duration_s * sample_rate))
    for time_s in times_s:
        start = round(time_s * sample_rate)
        piece = sound[: max(0, len(out) - start)]
        out[start : start + len(piece)] += piece
    return out


def click(sample_rate: int = RATE_HZ) -> Tensor:
    """A short tone of 1 kHz that dies away."""
    time_s = torch.arange(sample_rate // 25) / sample_rate
    return 0.5 * torch.sin(2 * torch.pi * 1_000 * time_s) * torch.exp(-time_s / 0.008)


def kick(sample_rate: int = RATE_HZ) -> Tensor:
    """A bass drum."""
    time_s = torch.arange(sample_rate // 4) / sample_rate
    phase = 2 * torch.pi * (55 * time_s - 1.5 * torch.exp(-time_s / 0.03))
    return 0.8 * torch.sin(phase) * torch.exp(-time_s / 0.07)


def snare(sample_rate: int = RATE_HZ) -> Tensor:
    """A snare drum."""
    time_s = torch.arange(sample_rate // 5) / sample_rate
    noise = torch.randn(len(time_s), generator=torch.Generator().manual_seed(1))
    body = torch.sin(2 * torch.pi * 190 * time_s)
    return (0.3 * noise + 0.3 * body) * torch.exp(-time_s / 0.05)


def hat(sample_rate: int = RATE_HZ) -> Tensor:
    """A closed hi-hat: noise without its low half."""
    time_s = torch.arange(sample_rate // 20) / sample_rate
    noise = torch.randn(len(time_s) + 1, generator=torch.Generator().manual_seed(2))
    return 0.12 * noise.diff() * torch.exp(-time_s / 0.015)


def tone(pitch: float, duration_s: float, sample_rate: int = RATE_HZ) -> Tensor:
    """A plucked note with six harmonics; pitch 69 is 440 Hz."""
    time_s = torch.arange(round(duration_s * sample_rate)) / sample_rate
    hz = 440 * 2 ** ((pitch - 69) / 12)
    partials = range(1, min(6, int(0.45 * sample_rate / hz)) + 1)
    wave = sum((torch.sin(2 * torch.pi * k * hz * time_s) / k for k in partials), time_s * 0)
    fade = (time_s / 0.005).clamp(max=1) * ((duration_s - time_s) / 0.02).clamp(0, 1)
    return 0.2 * wave * torch.exp(-time_s / duration_s) * fade


def chord(
    root: float, shape: Sequence[int], duration_s: float, sample_rate: int = RATE_HZ
) -> Tensor:
    """A triad in the middle register over its root two octaves below."""
    upper = sum(tone(root + step, duration_s, sample_rate) for step in shape)
    return 0.6 * upper + tone(root - 24, duration_s, sample_rate)


def cadence(
    tonic: int, mode: str, *, detuned: float = 0.0, bar_s: float = 1.0, sample_rate: int = RATE_HZ
) -> Tensor:
    """Tonic, subdominant, dominant and tonic, twice over; tonic 0 is C, in semitones."""
    own = MAJOR if mode == "major" else MINOR
    steps = [(0, own), (5, own), (7, MAJOR), (0, own)] * 2
    # Roots stay within an octave, so that no key is higher than another.
    return torch.cat(
        [chord(60 + (tonic + up) % 12 + detuned, shape, bar_s, sample_rate) for up, shape in steps]
    )


def drums(
    beats_s: Times, beats_per_bar: int, duration_s: float, sample_rate: int = RATE_HZ
) -> Tensor:
    """Kick on 1 (and 3 of 4), snare on the other beats, hats on eighths."""
    number = np.arange(len(beats_s)) % beats_per_bar
    struck = (number == 0) | ((number == 2) & (beats_per_bar == 4))
    between = (beats_s[1:] + beats_s[:-1]) / 2
    return (
        placed(kick(sample_rate), beats_s[struck], duration_s, sample_rate)
        + placed(snare(sample_rate), beats_s[~struck], duration_s, sample_rate)
        + placed(hat(sample_rate), np.concatenate([beats_s, between]), duration_s, sample_rate)
    )


def harmony(
    beats_s: Times, beats_per_bar: int, duration_s: float, sample_rate: int = RATE_HZ
) -> Tensor:
    """A chord a bar: C, A minor, F, G."""
    bars_s = beats_s[::beats_per_bar]
    out = torch.zeros(round(duration_s * sample_rate))
    lengths = np.diff(np.append(bars_s, duration_s))
    turns = ((60, MAJOR), (57, MINOR), (65, MAJOR), (67, MAJOR))
    for i, (start_s, length_s) in enumerate(zip(bars_s, lengths, strict=True)):
        root, shape = turns[i % 4]
        out += placed(
            chord(root, shape, float(length_s), sample_rate), [start_s], duration_s, sample_rate
        )
    return out


def song(
    beats_s: Times, duration_s: float, beats_per_bar: int = 4, sample_rate: int = RATE_HZ
) -> Audio:
    """Drums and chords in mono; the first beat begins a bar."""
    form = (beats_s, beats_per_bar, duration_s, sample_rate)
    return Audio((0.6 * drums(*form) + 0.4 * harmony(*form))[None], sample_rate)
