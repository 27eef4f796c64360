"""Songs to export: analyses with known beats."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch

from mashup_worker.analysis.result import Analysis
from mashup_worker.audio.signal import Audio
from mashup_worker.exports.song import ExportSong, ExportTrack
from tests.unit.audio_fixtures import write
from tests.unit.music import RATE_HZ, placed, tone

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def steady_beats(tempo_bpm: float, stop_s: float, first_s: float = 0.0) -> list[float]:
    """Return the beats of one tempo, rounded as in documents."""
    count = int((stop_s - first_s) * tempo_bpm / 60 + 1e-6)
    return [round(first_s + k * 60 / tempo_bpm, 4) for k in range(count)]


def drifting_beats(stop_s: float) -> list[float]:
    """Return beats whose tempo moves between 96 and 132 BPM."""
    beats, step = [0.31], 0
    while beats[-1] < stop_s - 1:
        tempo_bpm = 114 + 18 * ((step % 40) / 20 - 1) ** 3
        beats.append(round(beats[-1] + 60 / tempo_bpm, 4))
        step += 1
    return beats


def analysis_of(
    beats: Sequence[float],
    duration_s: float,
    *,
    per_bar: int = 4,
    first_downbeat: int = 0,
    downbeats: Sequence[float] | None = None,
    **values: Any,
) -> Analysis:
    """Return an analysis with these beats."""
    steady = len({round(b - a, 3) for a, b in pairwise(beats)}) <= 2
    known: dict[str, Any] = {
        "tempo_bpm": 60 * (len(beats) - 1) / (beats[-1] - beats[0]),
        "tempo_confidence": 0.9,
        "beats_s": tuple(beats),
        "downbeats_s": tuple(beats[first_downbeat::per_bar] if downbeats is None else downbeats),
        "beats_per_bar": per_bar,
        "tempo_stable": steady,
        "key": "A minor",
        "camelot": "8A",
    }
    return Analysis(duration_s, **known | values)


def made_song(
    folder: Path,
    *,
    tempo_bpm: float = 120.0,
    duration_s: float = 44.0,
    first_s: float = 0.3,
    per_bar: int = 4,
    kinds: Sequence[str] = ("vocals", "drums", "bass", "other"),
    beats: Sequence[float] | None = None,
    title: str = "Song",
) -> ExportSong:
    """Write stems with a stroke on every beat, and their sum, and return the song to export."""
    beats = steady_beats(tempo_bpm, duration_s, first_s) if beats is None else beats
    folder.mkdir(parents=True, exist_ok=True)
    tracks = []
    total = torch.zeros(2, round(duration_s * RATE_HZ))
    for index, kind in enumerate(kinds):
        pitch = 40 + 7 * index
        length_s = 0.4 if kind != "drums" else 0.1
        part = placed(tone(pitch, length_s), beats, duration_s, RATE_HZ)
        samples = torch.stack([part, 0.7 * part]) / 2
        samples = (samples * (1 << 15)).round() / (1 << 15)
        total += samples
        path = write(folder / f"{kind}.wav", Audio(samples, RATE_HZ))
        tracks.append(ExportTrack(name=kind, kind=kind, source=path))
    return ExportSong(
        title=title,
        file=write(folder / "whole.wav", Audio(total, RATE_HZ)),
        tracks=tuple(tracks),
        analysis=analysis_of(beats, duration_s, per_bar=per_bar),
    )
