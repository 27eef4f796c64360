"""Jobs that master a mix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mashup_worker.audio.decode import decode
from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.audio.song_tags import NO_TAGS
from mashup_worker.exports.objects import EXPORT_STAGE, UNTITLED, Exports, write_exports
from mashup_worker.exports.song import ExportSong
from mashup_worker.pipelines.analysis.analyze import analyze_audio
from mashup_worker.pipelines.clock import Clock
from mashup_worker.pipelines.master import MasterRequest, write_master
from mashup_worker.pipelines.waveforms import write_waveforms
from mashup_worker.queue.job_inputs import JobInput
from mashup_worker.queue.job_outputs import MasterOutput
from mashup_worker.worker.handler import HandlerResult, Sources
from mashup_worker.worker.handlers.exports import export_outputs, exported_settings
from mashup_worker.worker.handlers.shared import rename_paths, rounded_timings, stored_master

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mashup_worker.audio.limits import DecodeLimits
    from mashup_worker.audio.song_tags import SongTags
    from mashup_worker.pipelines.master import MasterResult
    from mashup_worker.queue.job_inputs import MasterInput
    from mashup_worker.worker.handler import JobContext, StoredFile

_SONG = "input_data.audio"
_STAGES = {"decode": 0.1, "master": 0.7, "peaks": 0.1, EXPORT_STAGE: 0.1}


@dataclass(frozen=True)
class MasterHandler:
    """Brings a mix to a loudness with limited true peaks. Implements `Handler[MasterInput]`."""

    limits: DecodeLimits
    stages = _STAGES
    uses_models = False

    def fetch(self, job: JobContext[MasterInput]) -> Sources:
        """Fetch the mix."""
        return Sources({_SONG: job.inputs.fetch(job.request.audio, _SONG)})

    def settings(self, job: JobContext[MasterInput]) -> Mapping[str, Any]:
        """Return targets, format and exports."""
        request = job.request
        others = {"audio", "export", *JobInput.model_fields}
        return request.model_dump(exclude=others) | exported_settings(request.export)

    def run(self, job: JobContext[MasterInput], sources: Sources) -> HandlerResult:
        """Master the mix."""
        request, clock, paths = job.request, Clock(), sources.paths
        tags = job.inputs.tags.get(paths[_SONG], NO_TAGS)
        job.on_progress("decode", 0.0)
        name = f"master.{request.format}"
        target = MasterRequest(
            request.loudness_lufs, request.true_peak_dbtp, raise_quiet=request.raise_quiet
        )
        with rename_paths({**paths, name: job.folder / name}):
            audio = decode(paths[_SONG], self.limits)
            clock.lap("decode")
            master = write_master(
                audio,
                job.folder / name,
                target,
                encode=EncodeOptions(request.format),
                tags=tags,
                on_progress=lambda _stage, share: job.on_progress("master", share),
            )
        files = write_waveforms({master.path: master.played}, job.on_progress)
        exports = Exports()
        if request.export:
            song = _to_export(job, master, tags)
            exports = write_exports(song, request.export, job.folder, job.on_progress)
        timings_s = {**clock.laps_s, **master.timings_s, **exports.timings_s}

        def output(stored: Mapping[str, StoredFile]) -> MasterOutput:
            return MasterOutput(
                audio=stored_master(stored, master, request.format),
                report=_report(master, target),
                timings_s=rounded_timings(timings_s),
                warnings=exports.warnings,
                exports=export_outputs(exports, stored),
            )

        return HandlerResult({**files, **exports.objects}, output)


def _to_export(job: JobContext[MasterInput], master: MasterResult, tags: SongTags) -> ExportSong:
    return ExportSong(
        title=tags.title or UNTITLED,
        file=master.path,
        analysis=analyze_audio(master.played, device=job.models.device).analysis,
        tags=tags,
    )


def _report(master: MasterResult, target: MasterRequest) -> dict[str, Any]:
    loudness = master.loudness
    return {
        "loudness_lufs": _two_decimals(loudness.integrated_lufs),
        "loudness_range_lu": _two_decimals(loudness.range_lu),
        "true_peak_dbtp": _two_decimals(loudness.true_peak_dbtp),
        "target_lufs": target.loudness_lufs,
        "target_dbtp": target.true_peak_dbtp,
        "gain_db": _two_decimals(master.gain_db),
        "limiting_db": _two_decimals(master.limiting_db),
        "notes": list(master.notes),
    }


def _two_decimals(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
