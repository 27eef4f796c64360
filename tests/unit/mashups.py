"""Small songs, and plans of small mashups."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from mashup_worker.analysis.result import Analysis
from mashup_worker.audio.signal import Audio
from mashup_worker.mixing.grid import FixedTempoGrid
from mashup_worker.mixing.plan_document import parse_plan
from mashup_worker.mixing.song import LoudnessEnvelope, MixSong, SongStem

if TYPE_CHECKING:
    from mashup_worker.mixing.plan import Plan

    Spans = dict[str, list[tuple[float, float]]]
    """By stem, such as `"a/drums"`, the bars between which it plays."""

RATE_HZ = 8_000
"""Sample rate of small songs."""


def mashup_plan(spans: Spans, *, bars: int = 8, tempo_bpm: float = 120.0, **changes: Any) -> Plan:
    """Return a plan of stems that play between bars."""
    sources = {}
    for name in spans:
        song, _, kind = name.partition("/")
        about = {"path": f"{name}.wav", "song": song, "kind": kind}
        beats = {"tempo_bpm": tempo_bpm, "beats_per_bar": 4, "first_downbeat_s": 0.0}
        sources[name] = about | beats
    clips = [
        {"source": name, "at_bar": at, "bars": end - at, "from_bar": at, "source_bars": end - at}
        for name, pieces in spans.items()
        for at, end in pieces
    ]
    grid = {"tempo_bpm": tempo_bpm, "beats_per_bar": 4, "bars": bars}
    common = {"form": "layer", "vibe": "club", "intensity": 0.5, "transition": "cut"}
    return parse_plan(common | {"grid": grid, "sources": sources, "clips": clips} | changes)


def song(
    name: str = "a", tempo_bpm: float = 120.0, bars: int = 16, beats_per_bar: int = 4,
    **playing: range,
) -> MixSong:  # fmt: skip
    """Return a song whose stems are noise in the bars named, silent elsewhere."""
    grid = FixedTempoGrid(tempo_bpm, beats_per_bar)
    stems = {}
    for index, (kind, heard) in enumerate(playing.items()):
        noise = torch.randn(1, round(bars * grid.bar_s * RATE_HZ), generator=seeded(index))
        time_bars = torch.arange(noise.shape[1]) / RATE_HZ / grid.bar_s
        plays = (time_bars >= heard.start) & (time_bars < heard.stop)
        audio = Audio(0.1 * noise * plays, RATE_HZ)
        stems[kind] = SongStem(
            kind=kind,
            path=Path(f"{name}/{kind}.wav"),
            sha256="",
            audio=audio,
            envelope=LoudnessEnvelope.of(audio),
        )
    return MixSong(name=name, analysis=Analysis(bars * grid.bar_s), grid=grid, stems=stems)


def seeded(seed: int) -> torch.Generator:
    """Return a random generator with a fixed seed."""
    return torch.Generator().manual_seed(seed)
