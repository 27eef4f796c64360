"""Jobs that find tempo, beats, key and loudness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mashup_worker.pipelines.analysis.analyze import analyze_file, analyze_stem_files
from mashup_worker.queue.contracts import AnalyzeInput, AnalyzeOutput
from mashup_worker.worker.handlers.files import called, rounded
from mashup_worker.worker.work import Product, Sources

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mashup_worker.audio.limits import DecodeLimits
    from mashup_worker.worker.work import Work

_SONG, _STEM = "input_data.audio", "input_data.stems."
_STAGES = {"decode": 0.15, "measure": 0.25, "harmony": 0.25, "rhythm": 0.35}


@dataclass(frozen=True)
class AnalyzeHandler:
    """Analyses a song, whole or in stems. A `Handler`.

    Attributes:
        limits: what each file may measure.
    """

    limits: DecodeLimits

    @property
    def stages(self) -> Mapping[str, float]:
        """Shares of the time."""
        return _STAGES

    def gather(self, work: Work) -> Sources:
        """The song, or its stems."""
        request = _request(work)
        if request.audio is not None:
            return Sources({_SONG: work.inputs.fetch(request.audio, _SONG)})
        stems = request.stems or {}
        return Sources(
            {
                _STEM + kind: work.inputs.fetch(address, _STEM + kind)
                for kind, address in stems.items()
            }
        )

    def settings(self, work: Work) -> Mapping[str, Any]:
        """Nothing but the files decides."""
        assert isinstance(work.request, AnalyzeInput), "handlers get their own type"  # noqa: S101
        return {}

    def make(self, work: Work, sources: Sources) -> Product:
        """Analyse the song."""
        device, report = work.models.device, work.on_progress
        paths = sources.paths
        with called(paths):
            if _SONG in paths:
                done = analyze_file(
                    paths[_SONG], limits=self.limits, device=device, on_progress=report
                )
            else:
                stems = {name.removeprefix(_STEM): path for name, path in paths.items()}
                done = analyze_stem_files(
                    stems, limits=self.limits, device=device, on_progress=report
                )
        output = AnalyzeOutput(
            analysis=done.analysis.as_dict(),
            timings_s=rounded(done.timings_s, ("harmony", "rhythm")),
        )
        return Product({}, lambda _stored: output)


def _request(work: Work) -> AnalyzeInput:
    assert isinstance(work.request, AnalyzeInput), "handlers get their own type"  # noqa: S101
    return work.request
