"""Jobs that make a mashup of stems and songs."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mashup_worker.analysis.document import read_analysis
from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.audio.song_tags import NO_TAGS
from mashup_worker.errors import InvalidInput
from mashup_worker.exports.objects import EXPORT_STAGE, UNTITLED, write_exports
from mashup_worker.exports.song import ExportSong, tracks_of
from mashup_worker.mixing.planning.planner import plan_mashup
from mashup_worker.mixing.request import MixRequest
from mashup_worker.pipelines.analysis.analyze import analyze_audio
from mashup_worker.pipelines.clock import Clock
from mashup_worker.pipelines.mashup.make import make_mashup, sounds_of_songs
from mashup_worker.pipelines.mashup.playlist import Playlist
from mashup_worker.pipelines.mashup.song_cache import SongCache
from mashup_worker.pipelines.mashup.songs import LoadedSongs, SongFiles, SongLoader
from mashup_worker.pipelines.mashup.tags import mashup_tags
from mashup_worker.pipelines.mashup.unmastered import Unmastered, write_unmastered
from mashup_worker.pipelines.waveforms import write_waveforms
from mashup_worker.queue.job_inputs import WHOLE_SONG
from mashup_worker.queue.job_outputs import MashupOutput, StemUsed, StoredAudio
from mashup_worker.worker.handler import FetchedStem, HandlerResult, Sources
from mashup_worker.worker.handlers.exports import export_outputs, exported_settings
from mashup_worker.worker.handlers.shared import (
    model_output,
    model_settings,
    rename_paths,
    rounded_timings,
    stored_audio,
    stored_master,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mashup_worker.analysis.result import Analysis
    from mashup_worker.audio.limits import DecodeLimits
    from mashup_worker.audio.song_tags import SongTags
    from mashup_worker.mixing.plan import Plan
    from mashup_worker.queue.job_inputs import MashupInput, StemInput
    from mashup_worker.worker.handler import Inputs, JobContext, StoredFile

_STEM = "input_data.stems."
_STAGES = {
    "prepare": 0.35,
    "stretch": 0.2,
    "mix": 0.05,
    "master": 0.18,
    "check": 0.15,
    "peaks": 0.05,
    EXPORT_STAGE: 0.02,
}
_STAGE_OF_PART = {"analyze": "check", "measure": "check", "encode": "master"}
"""Stage of each stage of the pipelines that is a part of one of ours."""

_DEVICE_STAGES = ("prepare", "stretch", "mix", "analysis")


@dataclass(frozen=True)
class MashupHandler:
    """Makes, masters and measures a mashup. Implements `Handler[MashupInput]`."""

    limits: DecodeLimits
    stages = _STAGES
    uses_models = True

    def fetch(self, job: JobContext[MashupInput]) -> Sources:
        """Fetch the stems, and the song and analysis of each."""
        paths: dict[str, Path] = {}
        used: list[StemUsed] = []
        analyses: dict[str, Any] = {}
        playlist = Playlist({stem.song for stem in job.request.stems if stem.song})
        for index, stem in enumerate(job.request.stems):
            fetched = _fetched(stem, index, job.inputs)
            paths[f"{_STEM}{index}"] = fetched.path
            song = playlist.add(fetched.song, {stem.kind: stem.stem_id or stem.audio})
            used.append(
                StemUsed(stem_id=stem.stem_id, kind=stem.kind, song=song, model=fetched.model)
            )
            if fetched.analysis is not None and stem.kind != WHOLE_SONG:
                analyses.setdefault(song, dict(fetched.analysis))
        _songs(paths, used, {})  # refuses contradictory songs before the work
        stems = [stem.model_dump(mode="json") for stem in used]
        return Sources(paths, {"stems": stems, "analyses": analyses})

    def settings(self, job: JobContext[MashupInput]) -> Mapping[str, Any]:
        """Return stems, parameters, format, and the model if whole songs need one."""
        request = job.request
        has_whole = any(stem.kind == WHOLE_SONG for stem in request.stems)
        return {
            "stems": [stem.model_dump(mode="json", exclude={"audio"}) for stem in request.stems],
            "config": request.config.model_dump(mode="json"),
            "format": request.format,
            **exported_settings(request.export),
            **(model_settings(job.models.separator(None)) if has_whole else {"model": None}),
        }

    def run(self, job: JobContext[MashupInput], sources: Sources) -> HandlerResult:
        """Plan, render, master and measure the mashup."""
        request, clock = job.request, Clock()
        used = [StemUsed.model_validate_json(json.dumps(one)) for one in sources.facts["stems"]]
        name = f"mashup.{request.format}"
        with rename_paths({**sources.paths, name: job.folder / name}):
            songs = _songs(sources.paths, used, sources.facts["analyses"])
            songs = [replace(one, tags=_tags(one, job.inputs.tags)) for one in songs]
            loaded = self._load(job, songs)
            wanted = MixRequest(**request.config.model_dump(exclude={"form"}))
            plan = plan_mashup(loaded.songs, wanted, form=request.config.form)
            clock.lap("prepare")
            mashup = make_mashup(
                loaded.noted(plan),
                sounds_of_songs(loaded.songs),
                job.folder / name,
                EncodeOptions(request.format),
                tags=mashup_tags(plan, loaded.tags),
                device=job.models.device,
                replan=lambda shifts: loaded.noted(
                    plan_mashup(loaded.songs, wanted, form=request.config.form, semitones=shifts)
                ),
                on_progress=lambda stage, share: job.on_progress(
                    _STAGE_OF_PART.get(stage, stage), share
                ),
            )
            analysis = analyze_audio(mashup.master.played, device=job.models.device)
        mix = mashup.render.mix
        before = write_unmastered(mix, job.folder / "unmastered.flac", seed=plan.seed)
        sounds = {mashup.master.path: mashup.master.played, before.path: before.audio}
        files = write_waveforms(sounds, job.on_progress)
        addresses = {str(path): _address(job, name) for name, path in sources.paths.items()}
        public_plan = _public_plan(mashup.plan, addresses)
        tags = mashup_tags(plan, loaded.tags)
        song = ExportSong(
            title=tags.title or UNTITLED,
            file=mashup.master.path,
            tracks=tracks_of(mashup.render.tracks),
            plan=public_plan,
            sounds=sounds_of_songs(loaded.songs),
            tags=tags,
        )
        exports = write_exports(song, request.export, job.folder, job.on_progress)
        steps_s = {"analysis": analysis.elapsed_s, "unmastered": before.elapsed_s}
        steps_s |= exports.timings_s

        def output(stored: Mapping[str, StoredFile]) -> MashupOutput:
            return MashupOutput(
                audio=stored_master(stored, mashup.master, request.format),
                unmastered=_stored_unmastered(stored, before),
                stems_used=tuple(used),
                model=None if loaded.model is None else model_output(loaded.model),
                plan=public_plan.as_dict(),
                report=mashup.report.as_dict(),
                passed=mashup.report.passed,
                warnings=(*(one.sentence for one in mashup.report.failures), *exports.warnings),
                exports=export_outputs(exports, stored),
                analysis=analysis.analysis.as_dict(),
                timings_s=rounded_timings(
                    {**clock.laps_s, **mashup.timings_s, **steps_s}, _DEVICE_STAGES
                ),
            )

        return HandlerResult({**files, **exports.objects}, output)

    def _load(self, job: JobContext[MashupInput], files: Sequence[SongFiles]) -> LoadedSongs:
        order = {one.name: index for index, one in enumerate(files)}

        def report(stage: str, share: float) -> None:
            index = next((i for song, i in order.items() if stage.endswith(song)), 0)
            job.on_progress("prepare", (index + 0.5 * share) / len(files))

        loader = SongLoader(
            SongCache(job.folder / "songs"),
            lambda: job.models.separator(None),
            limits=self.limits,
            device=job.models.device,
            on_progress=report,
        )
        return loader.load(files)


def _stored_unmastered(stored: Mapping[str, StoredFile], before: Unmastered) -> StoredAudio:
    fields = stored_audio(
        stored,
        before.path.name,
        audio_format="flac",
        duration_s=before.audio.duration_s,
        loudness_lufs=before.loudness_lufs,
    )
    return StoredAudio(**fields)


def _fetched(stem: StemInput, index: int, inputs: Inputs) -> FetchedStem:
    """Fetch a stem of the registry, or a file.

    Raises:
        InvalidInput: the registered stem is of another kind.
    """
    name = f"{_STEM}{index}"
    if stem.stem_id is None:
        address = stem.audio or ""
        return FetchedStem(
            path=inputs.fetch(address, name),
            kind=stem.kind,
            song=stem.song or f"song {index + 1}",
            analysis=inputs.known_analysis(address),
        )
    found = inputs.fetch_stem(stem.stem_id, name)
    if found.kind != stem.kind:
        raise InvalidInput(f"{name}.kind: the stem is {found.kind}, not {stem.kind}")
    return replace(found, song=stem.song or found.song)


def _songs(
    paths: Mapping[str, Path], used: Sequence[StemUsed], analyses: Mapping[str, Any]
) -> list[SongFiles]:
    """Group stems into songs, in the order of the input.

    Raises:
        InvalidInput: a song has two stems of a kind, or is both whole and in stems.
    """
    by_song: dict[str, dict[str, Path]] = {}
    for (name, path), stem in zip(paths.items(), used, strict=True):
        kinds = by_song.setdefault(stem.song, {})
        if stem.kind in kinds or (kinds and WHOLE_SONG in (stem.kind, *kinds)):
            raise InvalidInput(
                f"{name}: song {stem.song!r} already has {' and '.join(kinds)}; "
                "set `song` to distinguish songs"
            )
        kinds[stem.kind] = path
    return [
        SongFiles(song, {}, kinds[WHOLE_SONG])
        if WHOLE_SONG in kinds
        else SongFiles(name=song, stems=kinds, whole=None, analysis=_analysis(analyses.get(song)))
        for song, kinds in by_song.items()
    ]


def _tags(song: SongFiles, tags: Mapping[Path, SongTags]) -> SongTags:
    """Return the tags of a song, which its decoded files have lost."""
    if song.whole is not None:
        return tags.get(song.whole, NO_TAGS)
    found = (tags[path].of_song(kind) for kind, path in song.stems.items() if path in tags)
    return next(found, NO_TAGS)


def _analysis(document: Mapping[str, Any] | None) -> Analysis | None:
    """Return the analysis in a job's output; None without beats, or in an older format."""
    analysis = read_analysis(document)
    return analysis if analysis is not None and analysis.beats_s else None


def _public_plan(plan: Plan, addresses: Mapping[str, str]) -> Plan:
    """Return the plan with the addresses of its sources in place of local paths."""
    sources = {
        name: source.model_copy(update={"path": addresses.get(source.path, name)})
        for name, source in plan.sources.items()
    }
    return plan.model_copy(update={"sources": sources})


def _address(job: JobContext[MashupInput], name: str) -> str:
    stem = job.request.stems[int(name.removeprefix(_STEM))]
    return stem.audio or f"stem:{stem.stem_id}"
