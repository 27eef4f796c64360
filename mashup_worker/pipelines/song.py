"""Stems, waveforms and analysis of a song in one pass: each sample is decoded once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.pipelines.analysis.analyze import analyze_source, analyze_sources
from mashup_worker.pipelines.clock import Clock
from mashup_worker.pipelines.separation.separate import open_separation
from mashup_worker.pipelines.waveforms import write_waveforms

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mashup_worker.analysis.result import AnalyzeResult
    from mashup_worker.models.separator import Separator
    from mashup_worker.pipelines.clock import OnProgress
    from mashup_worker.pipelines.separation.separate import (
        SeparateRequest,
        SeparateResult,
        Separation,
    )

STAGES = {
    "decode": 0.03,
    "separate": 0.75,
    "measure": 0.04,
    "harmony": 0.03,
    "rhythm": 0.04,
    "form": 0.02,
    "encode": 0.08,
    "peaks": 0.01,
}
"""Shares of the time, most of which the network needs; `peaks` writes the waveforms."""

DEVICE_STAGES = ("separate", "harmony", "rhythm")
"""Stages that need the device."""


@dataclass(frozen=True, kw_only=True)
class SplitSong:
    """Separated song, its analysis if requested, and its stems and waveforms by name."""

    separated: SeparateResult
    analysis: AnalyzeResult | None
    files: Mapping[str, Path]
    peaks_s: float

    @property
    def timings_s(self) -> Mapping[str, float]:
        """Seconds per stage."""
        analyzed_s = self.analysis.timings_s if self.analysis else {}
        return {**self.separated.timings_s, **analyzed_s, "peaks": self.peaks_s}


def split_song(
    separator: Separator,
    request: SeparateRequest,
    *,
    analyze: bool,
    device: str,
    on_progress: OnProgress,
) -> SplitSong:
    """Separate and analyze a song, and write its stems with their waveforms.

    Tempo and key become tags of the stems. The analysis uses the stems if all stems of the model
    are written, and the song otherwise.

    Raises:
        MashupError: as `separate_file` and `analyze_sources`.
    """
    with open_separation(separator, request, on_progress) as separation:
        analysis, tags = None, separation.tags
        if analyze:
            analysis = _analyze(separation, separator.stems, device, on_progress)
            found = analysis.analysis
            tags = tags.with_music(found.tempo_bpm, found.key, found.camelot)
        separated = separation.write(tags)
        clock = Clock()
        sounds = {request.targets[kind]: stem for kind, stem in separation.stems.items()}
        files = write_waveforms(sounds, on_progress)
        clock.lap("peaks")
    return SplitSong(
        separated=separated, analysis=analysis, files=files, peaks_s=clock.laps_s["peaks"]
    )


def _analyze(
    separation: Separation, kinds: tuple[str, ...], device: str, on_progress: OnProgress
) -> AnalyzeResult:
    if set(kinds) <= set(separation.stems):
        stems = {kind: separation.stems[kind] for kind in kinds}
        return analyze_sources(stems, device=device, on_progress=on_progress)
    return analyze_source(separation.song, device=device, on_progress=on_progress)
