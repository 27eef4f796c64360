"""Processing of many songs in one call: a song that fails does not stop the others."""

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
    """Songs of a call, and the failures among them.

    `common_reason` is an error that fails every song, such as missing weights.
    """

    songs: Sequence[Song]
    output: Output
    common_reason: MashupError | None = None
    _failed: dict[Path, MashupError] = field(default_factory=dict)

    @contextmanager
    def collect_failure(self, song: Song) -> Iterator[None]:
        """Record an exception in the block as the failure of `song`, and continue."""
        try:
            yield
        except (typer.Exit, BrokenPipeError):
            raise  # wrong usage or a closed pipe: these end the command
        except Exception as error:
            self.fail(song, as_song_error(song.path, error, self.output.verbose))

    def fail(self, song: Song, error: MashupError) -> None:
        """Report that a song failed. A reason that fails many songs is printed once.

        A lost device ends the command: every other song would fail as well.
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
        """Print the failed songs and exit with their code; return if no song failed."""
        if not self._failed:
            return
        if len(self.songs) > 1:
            names = ", ".join(map(str, self._failed))
            self.output.error(f"{len(self._failed)} of {len(self.songs)} failed: {names}")
        codes = {error.exit_code for error in self._failed.values()}
        all_alike = len(self._failed) == len(self.songs) and len(codes) == 1
        raise typer.Exit(codes.pop() if all_alike else EXIT_FAILED)


def as_song_error(name: Path | str, error: Exception, verbose: bool = False) -> MashupError:
    """Return `error`, or one line for an unexpected exception, whose traceback `verbose` prints."""
    if isinstance(error, MashupError):
        return error
    if verbose:
        sys.stderr.write(traceback.format_exc())
    reason = f"{type(error).__name__}: {error}".partition("\n")[0]
    return MashupError(f"{name}: {reason} (see --verbose)")


def check_there(song: Song) -> None:
    """Check that a song exists.

    Raises:
        InvalidInput: the file is missing, or an argument or a folder gives no song.
    """
    if song.problem is not None:
        raise InvalidInput(f"{song.path}: {song.problem}")
    # Unlike that of pathlib, this returns False for names that are too long and link loops.
    if not os.path.exists(song.path):  # noqa: PTH110
        raise InvalidInput(f"{song.path}: no such file")
