"""All that is made of a song for those who mix it: its stems, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.pipelines.analysis.analyze import analyze_file, analyze_stem_files
from mashup_worker.pipelines.separate import separate_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mashup_worker.analysis.result import AnalyzeResult
    from mashup_worker.models.separator import Separator
    from mashup_worker.pipelines.separate import SeparateRequest, SeparateResult

STAGES = {
    "decode": 0.03,
    "separate": 0.75,
    "encode": 0.08,
    "listen": 0.04,
    "harmony": 0.03,
    "rhythm": 0.04,
    "peaks": 0.03,
}
"""Shares of the time, most of which the network takes; `peaks` are those of its waveforms."""

DEVICE_STAGES = ("separate", "harmony", "rhythm")
"""Stages that need the device."""

_LOSSLESS = ("flac", "wav")


@dataclass(frozen=True)
class SplitSong:
    """What was made of a song.

    Attributes:
        separated: its stems.
        analysis: what is known of it; None where that was not asked for.
    """

    separated: SeparateResult
    analysis: AnalyzeResult | None

    @property
    def timings_s(self) -> Mapping[str, float]:
        """Seconds spent in each stage."""
        return {**self.separated.timings_s, **(self.analysis.timings_s if self.analysis else {})}


def split_song(
    separator: Separator,
    request: SeparateRequest,
    *,
    analyze: bool,
    device: str,
    on_progress: Callable[[str, float], None],
) -> SplitSong:
    """Separate a song and analyse it, from its stems where they are all there and lossless.

    Raises:
        MashupError: as `separate_file` and `analyze_file`.
    """
    separated = separate_file(separator, request, on_progress)
    if not analyze:
        return SplitSong(separated, None)
    targets = request.targets
    if set(targets) == set(separator.stems) and request.encode.format in _LOSSLESS:
        found = analyze_stem_files(targets, device=device, on_progress=on_progress)
    else:
        found = analyze_file(
            request.source, limits=request.limits, device=device, on_progress=on_progress
        )
    return SplitSong(separated, found)
