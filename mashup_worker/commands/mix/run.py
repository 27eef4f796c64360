"""One call of `mashup mix`: render a mashup of songs or of a plan."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mashup_worker.commands.mix.inputs import song_loader, songs_of_arguments, songs_of_stems
from mashup_worker.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mashup_worker.audio.formats import EncodeOptions
    from mashup_worker.audio.signal import Audio
    from mashup_worker.commands.mix.files import MixOutputs
    from mashup_worker.commands.shared.exports import Exporter
    from mashup_worker.commands.shared.inputs import FoundSongs
    from mashup_worker.commands.shared.model_choice import ModelRequest
    from mashup_worker.exports.song import ExportSong
    from mashup_worker.mixing.plan import Plan
    from mashup_worker.mixing.planning.correction import Replan
    from mashup_worker.mixing.request import MixRequest
    from mashup_worker.pipelines.clock import OnProgress
    from mashup_worker.pipelines.mashup.songs import LoadedSongs, SongFiles
    from mashup_worker.vocabulary import FormName


@dataclass(frozen=True, kw_only=True)
class MixSources:
    """Sources of a mashup, as the command line names them.

    Raises:
        InvalidInput: the combination is not allowed.
    """

    songs: Sequence[str] = ()
    stems: Sequence[str] = ()
    vocals_of: str | None = None
    over: Sequence[str] = ()
    plan: Path | None = None

    def __post_init__(self) -> None:
        ways = [bool(self.plan), bool(self.stems), self.vocals_of is not None]
        if sum(ways) > 1 or (self.plan and (self.songs or self.over)):
            raise InvalidInput("--plan, --stem and --vocals-of exclude each other")
        if self.vocals_of is not None and not (self.over or self.songs):
            raise InvalidInput("--vocals-of needs --over, the songs whose instruments are used")
        if self.over and self.vocals_of is None:
            raise InvalidInput("--over needs --vocals-of, the song whose vocals are used")
        if self.stems and self.songs:
            raise InvalidInput("songs and --stem exclude each other")
        songs_of_stems(self.stems)
        if not any((*ways, self.songs)):
            raise InvalidInput("no sources: name songs, --stem, --vocals-of or --plan")


@dataclass(frozen=True, kw_only=True)
class MixRun:
    """Call of the command; a plan replaces `request`, and None for `form` lets songs decide.

    `found` receives what the arguments lead to, `inputs` the files of the songs, and `made` the
    mashup for exports.
    """

    sources: MixSources
    outputs: MixOutputs
    request: MixRequest
    form: FormName | None
    encode: EncodeOptions
    model: ModelRequest
    device: str
    on_progress: OnProgress
    found: list[FoundSongs] = field(default_factory=list)
    inputs: list[Path] = field(default_factory=list)
    made: list[ExportSong] = field(default_factory=list)

    def run(self) -> dict[str, Any]:
        """Make the mashup and return its JSON document.

        Raises:
            MashupError: as `make_mashup`, `SongLoader.load` and `load_plan`.
        """
        from mashup_worker.exports.song import ExportSong, tracks_of
        from mashup_worker.pipelines.mashup.make import make_mashup
        from mashup_worker.pipelines.mashup.tags import mashup_tags

        started_s = time.perf_counter()
        plan, sounds, loaded, replan = self._planned()
        target, report = self.outputs.target, self.on_progress
        tags = mashup_tags(plan, loaded.tags)
        result = make_mashup(
            plan,
            sounds,
            target,
            self.encode,
            tags=tags,
            device=self.device,
            corrects=replan is not None,  # a given plan is rendered as it is
            replan=replan,
            on_progress=report,
        )
        self.outputs.write(result, report)
        self.made.append(
            ExportSong(
                title=target.stem,
                file=target,
                tracks=tracks_of(result.render.tracks),
                plan=result.plan,
                sounds=sounds,
                tags=tags,
            )
        )
        return {
            "output": str(target),
            "elapsed_s": round(time.perf_counter() - started_s, 3),
            "model": _model(loaded),
            "passed": result.report.passed,
            "rounds": result.rounds,
            "warnings": [*loaded.warnings, *result.misses],
            "left_out": sum(len(one.left_out) for one in self.found),
            "plan": result.plan.as_dict(),
            "report": result.report.as_dict(),
        }

    def export(self, exporter: Exporter) -> None:
        """Write the formats of `--export` beside the mashup; exit with 1 if any failed."""
        from mashup_worker.commands.shared.batch import Batch
        from mashup_worker.commands.shared.inputs import Song

        target = self.outputs.target
        mashup = Song(target, target.stem)
        batch = Batch([mashup], exporter.printer)
        exporter.inputs = self.inputs
        for song in self.made:
            exporter.add(song, mashup, target.parent, batch)
        exporter.finish(target.parent, batch)
        batch.finish()

    def _check(self, inputs: Sequence[Path]) -> None:
        self.outputs.check(inputs)
        self.inputs.extend(inputs)

    def _planned(self) -> tuple[Plan, dict[str, Audio], LoadedSongs, Replan | None]:
        """Return the plan, the audio of its sources, the songs, and what plans them again.

        A given plan has no songs, and is not planned again.
        """
        from mashup_worker.mixing.plan_document import load_plan
        from mashup_worker.mixing.planning.planner import plan_mashup
        from mashup_worker.pipelines.mashup.make import sounds_of_plan, sounds_of_songs
        from mashup_worker.pipelines.mashup.songs import LoadedSongs
        from mashup_worker.pipelines.mashup.tags import tags_of_plan

        if self.sources.plan is not None:
            plan = load_plan(self.sources.plan)
            folder = self.sources.plan.parent
            self._check([folder / source.path for source in plan.sources.values()])
            self.outputs.check_stems(plan, folder)
            warnings: list[str] = []
            sounds = sounds_of_plan(plan, folder, self.on_progress, warnings.append)
            return (
                _relocated(plan, folder, self.outputs.target.parent),
                sounds,
                LoadedSongs((), (), tuple(warnings), tags=tags_of_plan(plan, folder)),
                None,
            )
        singer, players = self._chosen()
        files = [*([singer] if singer else []), *players]
        self._check([path for one in files for path in one.paths])
        loaded = song_loader(self.model, self.device, self.on_progress).load(files)

        def planned(semitones: Mapping[str, int] | None = None) -> Plan:
            plan = plan_mashup(
                loaded.songs,
                self.request,
                form=self.form,
                vocals_first=singer is not None,
                semitones=semitones,
            )
            self.outputs.check_stems(plan, Path())
            return _relocated(loaded.noted(plan), Path(), self.outputs.target.parent)

        return planned(), sounds_of_songs(loaded.songs), loaded, planned

    def _chosen(self) -> tuple[SongFiles | None, list[SongFiles]]:
        """Return the song of `vocals_of`, if any, and the other songs."""
        sources = self.sources
        if sources.stems:
            return None, songs_of_stems(sources.stems)
        players = songs_of_arguments([*sources.over, *sources.songs], self.found.append)
        if sources.vocals_of is None:
            return None, players
        singers = songs_of_arguments([sources.vocals_of], self.found.append)
        if len(singers) > 1:
            raise InvalidInput(f"--vocals-of {sources.vocals_of}: {len(singers)} songs; name one")
        singer = singers[0]
        if any(player.name == singer.name for player in players):
            singer = replace(singer, name=f"{singer.name} (vocals)")
        return singer, players


def _model(loaded: LoadedSongs) -> dict[str, Any] | None:
    """Return the model that separated whole songs, and its license."""
    model = loaded.model
    return None if model is None else {"name": model.name, "license": model.license.as_dict()}


def _relocated(plan: Plan, from_folder: Path, to_folder: Path) -> Plan:
    """Return the plan with its paths relative to another folder."""
    sources = {
        name: source.model_copy(update={"path": _relative_to(to_folder, from_folder / source.path)})
        for name, source in plan.sources.items()
    }
    return plan.model_copy(update={"sources": sources})


def _relative_to(folder: Path, path: Path) -> str:
    """Return a path relative to `folder` if it lies below it, and absolute otherwise."""
    whole, home = Path(os.path.abspath(path)), Path(os.path.abspath(folder))  # noqa: PTH100
    return str(whole.relative_to(home) if whole.is_relative_to(home) else whole)
