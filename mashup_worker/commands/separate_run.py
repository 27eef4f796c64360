"""One call of `mashup separate`: its songs one after the other, whatever happens to each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from mashup_worker.commands.batch import Batch, check_there
from mashup_worker.commands.failure import fail, settings_or_fail
from mashup_worker.errors import EXIT_USAGE, InvalidInput, MashupError

if TYPE_CHECKING:
    from mashup_worker.audio.formats import EncodeOptions
    from mashup_worker.commands.inputs import Song
    from mashup_worker.commands.model_choice import LoadedModel, ModelRequest
    from mashup_worker.commands.separate_output import Printer
    from mashup_worker.commands.targets import Targets


@dataclass
class SeparateRun:
    """One call of the command: all its songs, with the model loaded once and only when needed."""

    model: ModelRequest
    wanted: tuple[str, ...] | None
    targets: Targets
    encode: EncodeOptions
    skip_existing: bool
    dry_run: bool
    printer: Printer
    _loaded: LoadedModel | MashupError | None = None

    def all(self) -> None:
        """Do all songs; one that fails does not stop the others. Ends the command."""
        for song in self.targets.songs:
            with self._batch.survive(song):
                self._one(song)
        self._batch.finish()

    @cached_property
    def _batch(self) -> Batch:
        return Batch(self.targets.songs, self.printer)

    def _kinds(self) -> tuple[str, ...]:
        """The stems to make. A model or a kind that there is not is wrong usage."""
        from mashup_worker.pipelines.stems import recipes

        try:
            known = self.model.known_stems() or self._model().separator.stems
            wanted = known if self.wanted is None else self.wanted
            return tuple(recipe.kind for recipe in recipes(known, None, wanted))
        except InvalidInput as error:
            fail(error.message, EXIT_USAGE)

    def _one(self, song: Song) -> None:
        from mashup_worker.pipelines.separate import SeparateRequest, separate_file

        targets = self.targets.of(song, self._kinds())
        check_there(song)
        if self.dry_run:
            self.printer.plan(song, targets)
        elif self.skip_existing and all(path.is_file() for path in targets.values()):
            self.printer.skipped(song, targets)
        else:
            loaded = self._model()
            with self.printer.progress(song) as on_progress:
                result = separate_file(
                    loaded.separator, SeparateRequest(song.path, targets, self.encode), on_progress
                )
            self.printer.done(song, loaded, result)

    def _model(self) -> LoadedModel:
        """The model, loaded at the first call; what went wrong then is raised at every call."""
        from mashup_worker.commands.model_choice import load_model

        if self._loaded is None:
            try:
                self._loaded = load_model(self.model, settings_or_fail(), self.printer.quiet)
            except MashupError as error:
                self._loaded = self._batch.common_reason = error
        if isinstance(self._loaded, MashupError):
            raise self._loaded
        return self._loaded
