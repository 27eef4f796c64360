"""Jobs that separate a song into stems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.audio.song_tags import NO_TAGS
from mashup_worker.errors import InvalidInput
from mashup_worker.exports.objects import EXPORT_STAGE, UNTITLED, write_exports
from mashup_worker.exports.song import ExportSong, stem_tracks
from mashup_worker.pipelines.separation.separate import SeparateRequest
from mashup_worker.pipelines.song import DEVICE_STAGES, STAGES, split_song
from mashup_worker.queue.job_outputs import SeparateOutput, StemOutput
from mashup_worker.vocabulary import COMPLEMENT_PREFIX
from mashup_worker.worker.handler import HandlerResult, Sources
from mashup_worker.worker.handlers.exports import export_outputs, exported_settings
from mashup_worker.worker.handlers.shared import (
    model_output,
    model_settings,
    rename_paths,
    rounded_timings,
    stored_audio,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mashup_worker.audio.limits import DecodeLimits
    from mashup_worker.audio.song_tags import SongTags
    from mashup_worker.exports.objects import Exports
    from mashup_worker.models.separator import Separator
    from mashup_worker.pipelines.song import SplitSong
    from mashup_worker.queue.job_inputs import SeparateInput
    from mashup_worker.worker.handler import JobContext, StoredFile

_SONG = "input_data.audio"
_STAGES = {**STAGES, "separate": STAGES["separate"] - 0.02, EXPORT_STAGE: 0.02}


@dataclass(frozen=True)
class SeparateHandler:
    """Separates and analyzes a song, with waveforms. Implements `Handler[SeparateInput]`."""

    limits: DecodeLimits
    stages = _STAGES
    uses_models = True

    def fetch(self, job: JobContext[SeparateInput]) -> Sources:
        """Fetch the song."""
        return Sources({_SONG: job.inputs.fetch(job.request.audio, _SONG)})

    def settings(self, job: JobContext[SeparateInput]) -> Mapping[str, Any]:
        """Return model, precision, stems and format."""
        request, separator = job.request, _separator(job)
        return {
            **model_settings(separator),
            "precision": separator.precision,
            "stems": list(request.stems or separator.stems),
            "format": request.format,
            **_encoding(request),
            "sum_exact": request.sum_exact,
            "analyze": request.analyze,
            **exported_settings(request.export),
        }

    def run(self, job: JobContext[SeparateInput], sources: Sources) -> HandlerResult:
        """Separate and analyze the song."""
        request, separator = job.request, _separator(job)
        paths = sources.paths
        kinds = tuple(dict.fromkeys(request.stems or separator.stems))
        targets = {kind: job.folder / f"{kind}.{request.format}" for kind in kinds}
        with rename_paths(paths):
            song = split_song(
                separator,
                SeparateRequest(
                    source=paths[_SONG],
                    targets=targets,
                    encode=EncodeOptions(request.format, **_encoding(request)),
                    limits=self.limits,
                    tags=job.inputs.tags.get(paths[_SONG], NO_TAGS),
                    sum_exact=request.sum_exact,
                ),
                analyze=request.analyze,
                device=job.models.device,
                on_progress=job.on_progress,
            )
            tags = job.inputs.tags.get(paths[_SONG], NO_TAGS)
            whole = _to_export(song, paths[_SONG], targets, tags)
            exports = write_exports(whole, request.export, job.folder, job.on_progress)
        return HandlerResult(
            {**song.files, **exports.objects},
            lambda stored: _output(stored, request, separator, song, exports),
        )


def _to_export(
    song: SplitSong, source: Path, targets: Mapping[str, Path], tags: SongTags
) -> ExportSong:
    return ExportSong(
        title=tags.title or UNTITLED,
        file=source,
        tracks=stem_tracks(targets),
        analysis=song.analysis.analysis if song.analysis else None,
        tags=tags,
    )


def _output(
    stored: Mapping[str, StoredFile],
    request: SeparateInput,
    separator: Separator,
    song: SplitSong,
    exports: Exports,
) -> SeparateOutput:
    return SeparateOutput(
        stems=tuple(
            StemOutput(
                kind=stem.kind,
                **stored_audio(
                    stored,
                    stem.path.name,
                    audio_format=request.format,
                    duration_s=stem.duration_s,
                    loudness_lufs=stem.loudness_lufs,
                ),
            )
            for stem in song.separated.stems
        ),
        analysis=song.analysis.analysis.as_dict() if song.analysis else None,
        model=model_output(separator),
        timings_s=rounded_timings({**song.timings_s, **exports.timings_s}, DEVICE_STAGES),
        warnings=exports.warnings,
        exports=export_outputs(exports, stored),
    )


def _encoding(request: SeparateInput) -> dict[str, int]:
    """Return the options of encoding that the input sets."""
    options = {"bit_depth": request.bit_depth, "bitrate_kbps": request.bitrate_kbps}
    return {name: value for name, value in options.items() if value is not None}


def _separator(job: JobContext[SeparateInput]) -> Separator:
    separator = job.models.separator(job.request.model)
    for kind in job.request.stems or ():
        if kind.removeprefix(COMPLEMENT_PREFIX) not in separator.stems:
            stems = ", ".join(separator.stems)
            raise InvalidInput(
                f"input_data.stems: {separator.name} has no {kind}; use one of {stems}"
            )
    return separator
