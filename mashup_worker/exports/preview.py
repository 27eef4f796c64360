"""Previews for listings: 30 seconds from the chorus or drop, or the loudest, with fades."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.audio.signal import Audio
from mashup_worker.audio.writers import quantize
from mashup_worker.exports.song import write_audio

if TYPE_CHECKING:
    from pathlib import Path

    from mashup_worker.exports.song import ExportSong

PREVIEW_S = 30.0
_FADE_IN_S, _FADE_OUT_S = 0.5, 2.5
_STEP_S = 0.5
_SHORTEST_MS = 2  # the editor counts whole milliseconds, of which each fade needs one
_HIGHLIGHTS = ("chorus", "drop")
_FULL_SCALE = 1 << 15


def write_preview(song: ExportSong, folder: Path) -> list[Path]:
    """Write a preview as MP3.

    Raises:
        InvalidInput: the song cannot be decoded.
        StorageFailed: the file cannot be written.
    """
    target, mix = folder / f"{song.name} preview.mp3", song.mix
    stereo = Audio(mix.samples[:2], mix.sample_rate)
    audio = faded(stereo, preview_start_s(song, mix))
    write_audio(target, audio, song.music_tags, EncodeOptions("mp3", bitrate_kbps=192))
    return [target]


def preview_start_s(song: ExportSong, mix: Audio) -> float:
    """Return the start of the preview: chorus, drop, or the loudest 30 s, from a bar line."""
    latest_s = max(0.0, mix.duration_s - PREVIEW_S)
    for word in _HIGHLIGHTS:
        for marker in song.markers:
            if word in marker.name.lower() and marker.start_s <= latest_s:
                return max(0.0, marker.start_s)
    loudest_s = _loudest_s(mix, latest_s)
    if song.tempo_map is None:
        return loudest_s
    bar_s = song.tempo_map.bar_times_s[song.tempo_map.nearest_bar(loudest_s)]
    return min(max(0.0, bar_s), latest_s)


def faded(audio: Audio, start_s: float) -> Audio:
    """Return at most 30 s of a sound from a time, with fades, through the editor of pydub."""
    segment = _segment_of(audio)
    if len(segment) < _SHORTEST_MS:
        return audio
    start_ms = round(1000 * start_s)
    piece = segment[start_ms : start_ms + round(1000 * PREVIEW_S)]
    in_ms, out_ms = (round(1000 * one) for one in (_FADE_IN_S, _FADE_OUT_S))
    short = len(piece) < in_ms + out_ms
    fade_in, fade_out = (len(piece) // 2,) * 2 if short else (in_ms, out_ms)
    done = piece.fade_in(fade_in).fade_out(fade_out)
    values = np.frombuffer(done.raw_data, "<i2").reshape(-1, audio.channels)
    return Audio(torch.from_numpy(values.T / np.float32(_FULL_SCALE)), audio.sample_rate)


def _segment_of(audio: Audio) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydub warns of a missing ffmpeg, which edits do not need
        from pydub import AudioSegment
    return AudioSegment(
        data=quantize(audio.samples, 16).tobytes(),
        sample_width=2,
        frame_rate=audio.sample_rate,
        channels=audio.channels,
    )


def _loudest_s(mix: Audio, latest_s: float) -> float:
    """Return the start of the 30 s with the highest power."""
    step = round(_STEP_S * mix.sample_rate)
    powers = mix.samples.square().mean(dim=0)
    powers = powers[: len(powers) // step * step].reshape(-1, step).mean(dim=1)
    span = round(PREVIEW_S / _STEP_S)
    if len(powers) <= span:
        return 0.0
    return min(latest_s, int(powers.unfold(0, span, 1).mean(dim=1).argmax()) * _STEP_S)
