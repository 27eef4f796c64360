"""Click tracks: a click at each beat of a song, higher and louder where a bar begins."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from mashup_worker.audio.signal import Audio
from mashup_worker.exports.song import require_beats, write_audio

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from mashup_worker.exports.song import ExportSong
    from mashup_worker.exports.tempo_map import TempoMap

_CLICK_S, _HALF_LIFE_S = 0.05, 0.006
_ACCENT_HZ, _ACCENT_LEVEL = 1_600.0, 0.5
_BEAT_HZ, _BEAT_LEVEL = 1_000.0, 0.25


def write_click_track(song: ExportSong, folder: Path) -> list[Path]:
    """Write a click track as long as the song, with its sample rate.

    Raises:
        InvalidInput: the song has no beat, or cannot be decoded.
        StorageFailed: the file cannot be written.
    """
    beats, mix = require_beats(song, "a click track"), song.mix
    target = folder / f"{song.name} click.wav"
    audio = click_track(beats, mix.sample_rate, mix.length_samples)
    write_audio(target, audio, song.music_tags.of_stem("click"))
    return [target]


def click_track(beats: TempoMap, sample_rate: int, length_samples: int) -> Audio:
    """Return clicks, mono; each begins at the sample of its beat."""
    samples = torch.zeros(length_samples)
    accent = _click(_ACCENT_HZ, _ACCENT_LEVEL, sample_rate)
    plain = _click(_BEAT_HZ, _BEAT_LEVEL, sample_rate)
    bars = set(beats.bars)
    for index, time_s in enumerate(beats.beats_s):
        start = round(time_s * sample_rate)
        if 0 <= start < length_samples:
            click = accent if index in bars else plain
            samples[start : start + len(click)] += click[: length_samples - start]
    return Audio(samples[None], sample_rate)


def _click(frequency_hz: float, level: float, sample_rate: int) -> Tensor:
    """Return a decaying tone, which begins with its crest, where the ear hears the beat."""
    time_s = torch.arange(round(_CLICK_S * sample_rate)) / sample_rate
    return level * torch.cos(2 * math.pi * frequency_hz * time_s) * 0.5 ** (time_s / _HALF_LIFE_S)
