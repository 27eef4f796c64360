"""One call of `mashup separate`, with several songs in flight."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

from mashup_worker.commands.shared.batch import Batch, check_there
from mashup_worker.commands.shared.failure import settings_or_fail, usage_errors
from mashup_worker.commands.shared.progress import song_bars
from mashup_worker.errors import MashupError
from mashup_worker.models.choice import AUTO, PREFERRED
from mashup_worker.system.files import check_writable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mashup_worker.audio.formats import EncodeOptions
    from mashup_worker.commands.separate.output import Printer
    from mashup_worker.commands.separate.results import StemPaths
    from mashup_worker.commands.separate.targets import Targets
    from mashup_worker.commands.shared.exports import Exporter
    from mashup_worker.commands.shared.inputs import Song
    from mashup_worker.commands.shared.model_choice import ModelRequest
    from mashup_worker.commands.shared.stem_records import StemSettings
    from mashup_worker.models.load import LoadedModel
    from mashup_worker.pipelines.separation.in_flight import Stop
    from mashup_worker.pipelines.separation.separate import SeparateResult


@dataclass(frozen=True)
class _Task:
    """Song to separate, and the paths of its results."""

    song: Song
    paths: StemPaths


@dataclass
class SeparateRun:
    """Call of the command; the model is loaded once, when the first song needs it.

    None stands for all of the model's stems in `wanted`, and for the device's choice in `jobs`.
    """

    model: ModelRequest
    wanted: tuple[str, ...] | None
    targets: Targets
    encode: EncodeOptions
    sum_exact: bool
    skip_existing: bool
    dry_run: bool
    printer: Printer
    exporter: Exporter
    jobs: int | None = None
    _loaded: LoadedModel | MashupError | None = None

    def all(self) -> None:
        """Separate all songs, and exit with an error code if any failed."""
        from mashup_worker.pipelines.separation.in_flight import completed

        with song_bars(not self.printer.quiet) as self._bars:
            todo = self._todo()
            first = next(todo, None)
            if first is not None:
                songs = completed(chain([first], todo), self._separate, self._prepared())
                with closing(songs):
                    for task, result in songs:
                        with self._bars.aside(), self._batch.collect_failure(task.song):
                            self.printer.done(task.song, self._model(), result.result())
                            self._export(task)
        self.exporter.finish(self.targets.output_dir, self._batch)
        self._batch.finish()

    def _export(self, task: _Task) -> None:
        """Write the formats of `--export` beside the stems of a song."""
        from mashup_worker.commands.shared.exports import song_to_export

        if self.exporter.names:
            stems, device = task.paths.stems, self._model().separator.device
            parts = replace(task.song, stems=stems)
            song = song_to_export(parts, whole=task.song.path, analysis=None, device=device)
            self.exporter.add(song, task.song, task.paths.record.parent, self._batch)

    def _todo(self) -> Iterator[_Task]:
        """Yield the songs to separate, with the paths of their stems."""
        for song in self.targets.songs:
            task = None
            with self._bars.aside(), self._batch.collect_failure(song):
                task = self._planned(song)
            if task is not None:
                yield task

    def _prepared(self) -> int:
        """Prepare the model for songs in flight, and return their greatest number."""
        from mashup_worker.pipelines.separation.in_flight import songs_in_flight, warm_up

        separator = self._model().separator
        device = separator.device.partition(":")[0]
        most = songs_in_flight(self.jobs, device, len(self.targets.songs))
        warm_up(separator, most)
        return most

    def _separate(self, task: _Task, stop: Stop) -> SeparateResult:
        from mashup_worker.commands.shared.song_source import SongSource
        from mashup_worker.pipelines.separation.separate import SeparateRequest, separate_file

        paths, separator = task.paths, self._model().separator
        with self._bars.song(task.song.path.name) as show:

            def report(stage: str, share: float) -> None:
                stop.check()
                show(stage, share)

            check_writable(paths.record)
            source = SongSource.of(task.song, paths.record.parent)
            request = SeparateRequest(
                task.song.path,
                paths.stems,
                self.encode,
                before_publish=lambda: paths.begin(source),
                sum_exact=self.sum_exact,
            )
            result = separate_file(separator, request, report)
            paths.complete(source, self._settings(separator.name), separator.license)
            return result

    @cached_property
    def _batch(self) -> Batch:
        return Batch(self.targets.songs, self.printer)

    def _kinds(self) -> tuple[str, ...]:
        """Return the stems to write; an unknown model or kind is wrong usage."""
        from mashup_worker.pipelines.separation.exact import check_lossless, completing_stem
        from mashup_worker.pipelines.separation.stems import stem_mixes

        with usage_errors():
            _ = self._names  # refuses unknown models, and those that are not allowed
            known = self.model.known_stems() or self._model().separator.stems
            wanted = known if self.wanted is None else self.wanted
            if self.sum_exact:
                check_lossless(self.encode)
                completing_stem(known, None, wanted)
            return tuple(one.kind for one in stem_mixes(known, None, wanted))

    def _planned(self, song: Song) -> _Task | None:
        """Return the task of a song; None if the song is skipped or only printed."""
        from mashup_worker.commands.separate.results import StemPaths

        paths = StemPaths(self.targets.of(song, self._kinds()), self.targets.record_of(song))
        check_there(song)
        if self.skip_existing and self._is_done(song, paths):
            self.printer.skipped(song, paths.stems)
        elif self.dry_run:
            self.printer.plan(song, paths.stems)
        else:
            self._model()
            return _Task(song, paths)
        return None

    def _is_done(self, song: Song, paths: StemPaths) -> bool:
        """Return whether an earlier run has made these stems of this song.

        Raises:
            InvalidInput: the files belong to another song.
        """
        from mashup_worker.commands.shared.song_source import SongSource

        if not paths.any_exist():
            return False
        source = SongSource.of(song, paths.record.parent)
        best, *others = self._names
        if paths.are_complete(source, self._settings(best)):
            return True
        paths.check_replaceable(song, source)
        # Stems of another model stay only where the better ones are still unavailable.
        return not self.dry_run and any(
            paths.are_complete(source, self._settings(name))
            and self._model().separator.name == name
            for name in others
        )

    @cached_property
    def _names(self) -> list[str]:
        """Models that may be loaded, best first."""
        return self.model.names()

    def _settings(self, model: str) -> StemSettings:
        """Return the settings of stems that the model makes."""
        from mashup_worker.commands.shared.stem_records import StemSettings

        options = self.model.options
        is_fallback = self.model.name == AUTO and model != PREFERRED
        return StemSettings(
            model=model,
            weights_sha256=None if is_fallback else self.model.weights_sha256,
            stems=tuple(sorted(self._kinds())),
            **asdict(self.encode),
            precision=options.precision,
            shifts=options.shifts,
            seed=options.seed,
            overlap=options.overlap,
            sum_exact=self.sum_exact,
        )

    def _model(self) -> LoadedModel:
        """Return the model, loaded at the first call; every later call raises the same error."""
        from mashup_worker.commands.shared.model_choice import load_requested

        if self._loaded is None:
            try:
                self._loaded = load_requested(self.model, settings_or_fail(), self.printer.quiet)
            except MashupError as error:
                self._loaded = self._batch.common_reason = error
        if isinstance(self._loaded, MashupError):
            raise self._loaded
        return self._loaded
