"""One call of `mashup separate`: its songs one after the other, whatever happens to each."""

from __future__ import annotations

import os
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import typer

from mashup_worker.commands.failure import fail, settings_or_fail
from mashup_worker.errors import EXIT_FAILED, EXIT_USAGE, InvalidInput, MashupError

if TYPE_CHECKING:
    from pathlib import Path

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
    _failed: dict[Path, MashupError] = field(default_factory=dict)

    def all(self) -> None:
        """Do all songs; one that fails does not stop the others. Ends the command."""
        songs = self.targets.songs
        for song in songs:
            try:
                self._one(song)
            except MashupError as error:
                self._fail(song, error)
            except (typer.Exit, BrokenPipeError):
                raise  # wrong usage, or nobody reads on: of no song, and not to be survived
            except Exception as error:
                if self.printer.verbose:
                    traceback.print_exc()
                reason = f"{type(error).__name__}: {error}".partition("\n")[0]
                self._fail(song, MashupError(f"{song.path}: {reason} (see --verbose)"))
        if not self._failed:
            return
        if len(songs) > 1:
            names = ", ".join(map(str, self._failed))
            typer.echo(f"mashup: {len(self._failed)} of {len(songs)} failed: {names}", err=True)
        codes = {error.exit_code for error in self._failed.values()}
        all_alike = len(self._failed) == len(songs) and len(codes) == 1
        raise typer.Exit(codes.pop() if all_alike else EXIT_FAILED)

    def _fail(self, song: Song, error: MashupError) -> None:
        # One reason may fail many songs, such as missing weights: it is said once.
        if error not in self._failed.values():
            about_song = error is not self._loaded and str(song.path) not in error.message
            self.printer.error(f"{song.path}: {error.message}" if about_song else error.message)
        self._failed[song.path] = error
        self.printer.failure(song, error)

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
        # Unlike those of pathlib, these say no of names that are too long and of loops of links.
        if not os.path.exists(song.path):  # noqa: PTH110
            raise InvalidInput(f"{song.path}: no such file")
        if os.path.isdir(song.path):  # noqa: PTH112
            raise InvalidInput(f"{song.path}: no songs in this folder")
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
                self._loaded = error
        if isinstance(self._loaded, MashupError):
            raise self._loaded
        return self._loaded
