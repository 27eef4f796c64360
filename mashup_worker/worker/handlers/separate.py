"""Jobs that separate a song into stems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.audio.song_tags import NO_TAGS
from mashup_worker.errors import InvalidInput
from mashup_worker.pipelines.separation.separate import SeparateRequest
from mashup_worker.pipelines.song import DEVICE_STAGES, STAGES, split_song
from mashup_worker.queue.contracts import SeparateOutput, StemOutput
from mashup_worker.vocabulary import COMPLEMENT_PREFIX
from mashup_worker.worker.handler import HandlerResult, Sources
from mashup_worker.worker.handlers.shared import (
    model_output,
    rename_paths,
    rounded_timings,
    stored_audio,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mashup_worker.audio.limits import DecodeLimits
    from mashup_worker.models.separator import Separator
    from mashup_worker.pipelines.song import SplitSong
    from mashup_worker.queue.contracts import SeparateInput
    from mashup_worker.worker.handler import JobContext, StoredFile

_SONG = "input_data.audio"


@dataclass(frozen=True)
class SeparateHandler:
    """Separates and analyzes a song, with waveforms. Implements `Handler[SeparateInput]`."""

    limits: DecodeLimits
    stages = STAGES
    uses_models = True

    def fetch(self, job: JobContext[SeparateInput]) -> Sources:
        """Fetch the song."""
        return Sources({_SONG: job.inputs.fetch(job.request.audio, _SONG)})

    def settings(self, job: JobContext[SeparateInput]) -> Mapping[str, Any]:
        """Return model, precision, stems and format."""
        request, separator = job.request, _separator(job)
        return {
            "model": separator.name,
            "precision": separator.precision,
            "stems": list(request.stems or separator.stems),
            "format": request.format,
            **_encoding(request),
            "sum_exact": request.sum_exact,
            "analyze": request.analyze,
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
        return HandlerResult(song.files, lambda stored: _output(stored, request, separator, song))


def _output(
    stored: Mapping[str, StoredFile], request: SeparateInput, separator: Separator, song: SplitSong
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
        timings_s=rounded_timings(song.timings_s, DEVICE_STAGES),
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
