"""Jobs that make a mashup of stems and songs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from mashup_worker.analysis.result import Analysis
from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.planning.planner import plan_mashup
from mashup_worker.mixing.request import MixRequest
from mashup_worker.pipelines.analysis.analyze import analyze_audio
from mashup_worker.pipelines.clock import Clock
from mashup_worker.pipelines.mashup import make_mashup, sounds_of_songs
from mashup_worker.pipelines.mix_songs import MIX, SongFiles, SongLoader
from mashup_worker.pipelines.song_cache import SongCache
from mashup_worker.pipelines.waveforms import write_waveforms
from mashup_worker.queue.contracts import MashupInput, MashupOutput, StemUsed, StoredAudio
from mashup_worker.worker.handlers.files import called, rounded, stored_audio
from mashup_worker.worker.work import Product, Sources

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mashup_worker.analysis.result import AnalyzeResult
    from mashup_worker.audio.limits import DecodeLimits
    from mashup_worker.mixing.plan import Plan
    from mashup_worker.mixing.song import MixSong
    from mashup_worker.pipelines.mashup import MashupResult
    from mashup_worker.worker.work import StoredFile, Work

_STEM = "input_data.stems."
_STAGES = {
    "prepare": 0.35,
    "stretch": 0.2,
    "mix": 0.05,
    "master": 0.2,
    "check": 0.15,
    "peaks": 0.05,
}
_PARTS = {"listen": "check", "measure": "check", "encode": "master"}
"""Stages of the pipelines that are parts of one of ours."""


@dataclass(frozen=True)
class MashupHandler:
    """Makes a mashup, masters it and measures it. A `Handler`.

    Attributes:
        limits: what each file may measure.
    """

    limits: DecodeLimits

    @property
    def stages(self) -> Mapping[str, float]:
        """Shares of the time."""
        return _STAGES

    def gather(self, work: Work) -> Sources:
        """The stems, and which songs they belong to."""
        paths: dict[str, Path] = {}
        used: list[StemUsed] = []
        analyses: dict[str, Any] = {}
        for index, one in enumerate(_request(work).stems):
            name = f"{_STEM}{index}"
            if one.stem_id is not None:
                stem = work.inputs.fetch_stem(one.stem_id, name)
                if stem.kind != one.kind:
                    raise InvalidInput(f"{name}.kind: this stem is {stem.kind}, not {one.kind}")
                paths[name], song = stem.path, one.song or stem.song
                analysis = stem.analysis
            else:
                address = one.audio or ""
                paths[name] = work.inputs.fetch(address, name)
                song = one.song or f"song {index + 1}"
                analysis = work.inputs.known_analysis(address)
            used.append(StemUsed(stem_id=one.stem_id, kind=one.kind, song=song))
            if analysis is not None and one.kind != MIX:
                analyses.setdefault(song, dict(analysis))
        facts = {"stems": [one.model_dump(mode="json") for one in used], "analyses": analyses}
        _songs(paths, used, {})
        return Sources(paths, facts)

    def settings(self, work: Work) -> Mapping[str, Any]:
        """What the stems are, how the mashup should be, and what splits whole songs."""
        request = _request(work)
        stems = [one.model_dump(mode="json", exclude={"audio"}) for one in request.stems]
        whole = any(one.kind == MIX for one in request.stems)
        return {
            "stems": stems,
            "config": request.config.model_dump(mode="json"),
            "format": request.format,
            "model": work.models.separator(None).name if whole else None,
        }

    def make(self, work: Work, sources: Sources) -> Product:
        """Plan, render, master and measure the mashup."""
        request, clock = _request(work), Clock()
        used = [StemUsed.model_validate_json(json.dumps(one)) for one in sources.facts["stems"]]
        name = f"mashup.{request.format}"
        with called({**sources.paths, name: work.folder / name}):
            analyses = sources.facts["analyses"]
            songs = self._loaded(work, _songs(sources.paths, used, analyses))
            clock.lap("prepare")
            plan = plan_mashup(songs, MixRequest(**request.config.model_dump()))
            done = make_mashup(
                plan,
                sounds_of_songs(songs),
                work.folder / name,
                EncodeOptions(request.format),
                device=work.models.device,
                on_progress=lambda stage, share: work.on_progress(_PARTS.get(stage, stage), share),
            )
            analysis = analyze_audio(done.master.played, device=work.models.device)
        files = write_waveforms({done.master.path: done.master.played}, work.on_progress)
        timings_s = {**clock.laps_s, **done.timings_s, "analysis": analysis.elapsed_s}
        addresses = {str(path): _address(work, name) for name, path in sources.paths.items()}
        finished = _Finished(name, tuple(used), _public(done.plan, addresses), done, analysis)
        return Product(files, lambda stored: finished.output(stored, request, timings_s))

    def _loaded(self, work: Work, files: Sequence[SongFiles]) -> tuple[MixSong, ...]:
        order = {one.name: index for index, one in enumerate(files)}

        def report(stage: str, share: float) -> None:
            index = next((i for song, i in order.items() if stage.endswith(song)), 0)
            work.on_progress("prepare", (index + 0.5 * share) / len(files))

        loader = SongLoader(
            SongCache(work.folder / "songs"),
            lambda: work.models.separator(None),
            limits=self.limits,
            device=work.models.device,
            on_progress=report,
        )
        return loader.load(files).songs


@dataclass(frozen=True)
class _Finished:
    """A finished mashup, before it is stored."""

    name: str
    used: tuple[StemUsed, ...]
    plan: Plan
    done: MashupResult
    analysis: AnalyzeResult

    def output(
        self,
        stored: Mapping[str, StoredFile],
        request: MashupInput,
        timings_s: Mapping[str, float],
    ) -> MashupOutput:
        played, loudness = self.done.master.played, self.done.master.loudness
        facts = stored_audio(
            stored, self.name, request.format, played.duration_s, loudness.integrated_lufs
        )
        return MashupOutput(
            audio=StoredAudio(**facts),
            stems_used=self.used,
            plan=self.plan.as_dict(),
            report=self.done.report.as_dict(),
            analysis=self.analysis.analysis.as_dict(),
            timings_s=rounded(timings_s, ("prepare", "stretch", "mix", "analysis")),
        )


def _songs(
    paths: Mapping[str, Path], used: Sequence[StemUsed], analyses: Mapping[str, Any]
) -> list[SongFiles]:
    """Stems as songs, in the order of the input, with what is known of them.

    Raises:
        InvalidInput: a song has a kind twice, or is whole and in stems.
    """
    by_song: dict[str, dict[str, Path]] = {}
    for (name, path), one in zip(paths.items(), used, strict=True):
        kinds = by_song.setdefault(one.song, {})
        if one.kind in kinds or (kinds and MIX in (one.kind, *kinds)):
            there = " and ".join(kinds)
            raise InvalidInput(
                f"{name}: its song has {there} already; `song` tells songs from each other"
            )
        kinds[one.kind] = path
    return [
        SongFiles(song, {}, kinds[MIX])
        if MIX in kinds
        else SongFiles(song, kinds, None, _analysis(analyses.get(song)))
        for song, kinds in by_song.items()
    ]


def _analysis(document: Mapping[str, Any] | None) -> Analysis | None:
    """An analysis as a job told it; None where it has no beats, or is of another form."""
    try:
        analysis = TypeAdapter(Analysis).validate_python(document)
    except ValidationError:
        return None
    return analysis if analysis.beats_s else None


def _public(plan: Plan, addresses: Mapping[str, str]) -> Plan:
    """The plan with the addresses of its sources in place of files of this machine."""
    sources = {
        name: source.model_copy(update={"path": addresses.get(source.path, name)})
        for name, source in plan.sources.items()
    }
    return plan.model_copy(update={"sources": sources})


def _address(work: Work, name: str) -> str:
    stem = _request(work).stems[int(name.removeprefix(_STEM))]
    return stem.audio or f"stem:{stem.stem_id}"


def _request(work: Work) -> MashupInput:
    assert isinstance(work.request, MashupInput), "handlers get their own type"  # noqa: S101
    return work.request
