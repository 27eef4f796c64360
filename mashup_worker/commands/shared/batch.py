"""Many songs in one call: what fails is told and counted, and stops none of the others."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import typer

from mashup_worker.errors import EXIT_FAILED, DeviceLost, InvalidInput, MashupError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from mashup_worker.commands.shared.inputs import Song
    from mashup_worker.commands.shared.output import Output


@dataclass
class Batch:
    """The songs of a call and which of them failed.

    Attributes:
        songs: all of them.
        output: where failures are told.
        common_reason: what fails songs without being about any one of them, such as missing
            weights.
    """

    songs: Sequence[Song]
    output: Output
    common_reason: MashupError | None = None
    _failed: dict[Path, MashupError] = field(default_factory=dict)

    @contextmanager
    def survive(self, song: Song) -> Iterator[None]:
        """Whatever goes wrong inside is this song's failure, and the call goes on."""
        try:
            yield
        except (typer.Exit, BrokenPipeError):
            raise  # wrong usage, or nobody reads on: of no song, and not to be survived
        except Exception as error:
            if self.output.verbose and not isinstance(error, MashupError):
                sys.stderr.write(traceback.format_exc())
            self.fail(song, as_song_error(song, error))

    def fail(self, song: Song, error: MashupError) -> None:
        """Report that a song failed. A reason that fails many songs is printed once.

        A lost device ends the command, since every other song would fail by it as well.
        """
        if isinstance(error, DeviceLost):
            self.common_reason = error
        if error not in self._failed.values():
            about_song = error is not self.common_reason and str(song.path) not in error.message
            self.output.error(f"{song.path}: {error.message}" if about_song else error.message)
        self._failed[song.path] = error
        self.output.failure(song, error)
        if isinstance(error, DeviceLost):
            raise typer.Exit(error.exit_code)

    def finish(self) -> None:
        """Name the failed songs, and end the command with its exit code where there are some."""
        if not self._failed:
            return
        if len(self.songs) > 1:
            names = ", ".join(map(str, self._failed))
            self.output.error(f"{len(self._failed)} of {len(self.songs)} failed: {names}")
        codes = {error.exit_code for error in self._failed.values()}
        all_alike = len(self._failed) == len(self.songs) and len(codes) == 1
        raise typer.Exit(codes.pop() if all_alike else EXIT_FAILED)


def as_song_error(song: Song, error: Exception) -> MashupError:
    """The error itself where it says what is wrong, else one line about what nobody foresaw."""
    if isinstance(error, MashupError):
        return error
    reason = f"{type(error).__name__}: {error}".partition("\n")[0]
    return MashupError(f"{song.path}: {reason} (see --verbose)")


def check_there(song: Song) -> None:
    """Make sure that a song is there to be opened.

    Raises:
        InvalidInput: it isn't, or it is a folder that holds none.
    """
    # Unlike those of pathlib, these say no of names that are too long and of loops of links.
    if not os.path.exists(song.path):  # noqa: PTH110
        raise InvalidInput(f"{song.path}: no such file")
    if os.path.isdir(song.path) and not song.stems:  # noqa: PTH112
        raise InvalidInput(f"{song.path}: no songs in this folder")
