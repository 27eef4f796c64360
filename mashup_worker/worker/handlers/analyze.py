"""Jobs that find tempo, beats, key and loudness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mashup_worker.pipelines.analysis.analyze import analyze_file, analyze_stem_files
from mashup_worker.queue.contracts import AnalyzeOutput
from mashup_worker.worker.handler import HandlerResult, Sources
from mashup_worker.worker.handlers.shared import rename_paths, rounded_timings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mashup_worker.audio.limits import DecodeLimits
    from mashup_worker.queue.contracts import AnalyzeInput
    from mashup_worker.worker.handler import JobContext

_SONG, _STEM = "input_data.audio", "input_data.stems."
_STAGES = {"decode": 0.15, "measure": 0.25, "harmony": 0.25, "rhythm": 0.2, "form": 0.15}


@dataclass(frozen=True)
class AnalyzeHandler:
    """Analyzes a song, whole or as stems. Implements `Handler[AnalyzeInput]`."""

    limits: DecodeLimits
    stages = _STAGES
    uses_models = False

    def fetch(self, job: JobContext[AnalyzeInput]) -> Sources:
        """Fetch the song or its stems."""
        request, inputs = job.request, job.inputs
        if request.audio is not None:
            return Sources({_SONG: inputs.fetch(request.audio, _SONG)})
        stems = {_STEM + kind: address for kind, address in (request.stems or {}).items()}
        return Sources({name: inputs.fetch(address, name) for name, address in stems.items()})

    def settings(self, job: JobContext[AnalyzeInput]) -> Mapping[str, Any]:  # noqa: ARG002
        """Return no settings, since the files alone determine the result."""
        return {}

    def run(self, job: JobContext[AnalyzeInput], sources: Sources) -> HandlerResult:
        """Analyze the song."""
        device, report = job.models.device, job.on_progress
        paths = sources.paths
        with rename_paths(paths):
            if _SONG in paths:
                found = analyze_file(
                    paths[_SONG], limits=self.limits, device=device, on_progress=report
                )
            else:
                stems = {name.removeprefix(_STEM): path for name, path in paths.items()}
                found = analyze_stem_files(
                    stems, limits=self.limits, device=device, on_progress=report
                )
        output = AnalyzeOutput(
            analysis=found.analysis.as_dict(),
            timings_s=rounded_timings(found.timings_s, ("harmony", "rhythm")),
        )
        return HandlerResult({}, lambda _stored: output)
