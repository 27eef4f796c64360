"""Jobs that find tempo, beats, key and loudness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mashup_worker.analysis.document import read_analysis
from mashup_worker.audio.formats import audio_suffix, without_audio_suffix
from mashup_worker.audio.song_tags import NO_TAGS
from mashup_worker.exports.objects import EXPORT_STAGE, UNTITLED, Exports, write_exports
from mashup_worker.exports.song import ExportSong, stem_tracks
from mashup_worker.pipelines.analysis.analyze import analyze_file, analyze_stem_files
from mashup_worker.queue.job_outputs import AnalyzeOutput
from mashup_worker.system.names import safe_name
from mashup_worker.worker.handler import HandlerResult, Sources
from mashup_worker.worker.handlers.exports import export_outputs, exported_settings
from mashup_worker.worker.handlers.shared import rename_paths, rounded_timings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mashup_worker.analysis.result import Analysis
    from mashup_worker.audio.limits import DecodeLimits
    from mashup_worker.queue.job_inputs import AnalyzeInput
    from mashup_worker.worker.handler import JobContext, StoredFile

_SONG, _STEM = "input_data.audio", "input_data.stems."
_STAGES = {
    "decode": 0.15,
    "measure": 0.2,
    "harmony": 0.2,
    "rhythm": 0.2,
    "form": 0.15,
    EXPORT_STAGE: 0.1,
}


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
        known = map(inputs.known_analysis, stems.values()) if request.export else ()
        corrected = next((one for one in known if one is not None), None)
        facts = {} if corrected is None else {"analysis": dict(corrected)}
        paths = {name: inputs.fetch(address, name) for name, address in stems.items()}
        return Sources(paths, facts)

    def settings(self, job: JobContext[AnalyzeInput]) -> Mapping[str, Any]:
        """Return the exports; the files alone determine the analysis."""
        return exported_settings(job.request.export, job.request.title)

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
            known = read_analysis(sources.facts.get("analysis")) or found.analysis
            exports = Exports()
            if job.request.export:
                song = _to_export(job, paths, known)
                exports = write_exports(song, job.request.export, job.folder, report)
        timings_s = {**found.timings_s, **exports.timings_s}

        def output(stored: Mapping[str, StoredFile]) -> AnalyzeOutput:
            return AnalyzeOutput(
                analysis=found.analysis.as_dict(),
                timings_s=rounded_timings(timings_s, ("harmony", "rhythm")),
                warnings=exports.warnings,
                exports=export_outputs(exports, stored),
            )

        return HandlerResult(exports.objects, output)


def _to_export(
    job: JobContext[AnalyzeInput], paths: Mapping[str, Path], analysis: Analysis
) -> ExportSong:
    """Return the song, with its files under names as those that the job's input leads to."""
    addresses = {_STEM + kind: one for kind, one in (job.request.stems or {}).items()}
    addresses |= {} if job.request.audio is None else {_SONG: job.request.audio}
    named = {}
    for name, path in paths.items():
        kind, given = name.removeprefix(_STEM), urlsplit(addresses[name]).path.rpartition("/")[2]
        suffix = audio_suffix(given) or path.suffix
        own = safe_name(without_audio_suffix(given)) if kind == _SONG else kind
        named[kind] = job.folder / f"{own}{suffix}"
        named[kind].symlink_to(path)
    name, path = next(iter(paths.items()))
    kind = name.removeprefix(_STEM)
    tags = job.inputs.tags.get(path, NO_TAGS).of_song(kind)
    return ExportSong(
        title=job.request.title or tags.title or UNTITLED,
        file=named.get(_SONG),
        tracks=() if _SONG in paths else stem_tracks(named),
        analysis=analysis,
        tags=tags,
    )
